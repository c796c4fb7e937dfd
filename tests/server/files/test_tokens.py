"""Bearer tokens: who is let in, who is not, and files that change while calls are made."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from harness.callers import BLACK, OPTIONS, calling
from harness.calls import PREDICT, STREAM, bearer, error_info, reload
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve import Client, Unauthenticated
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import StartupError
from server.files.tokens import Tokens, read_tokens
from tests.server.modes import ON_THE_LANE

CALLER, OTHER, ADMIN = "0123456789abcdef-caller", "0123456789abcdef-other", "0123456789abcdef-admin"
LIVE = "/inference.GRPCInferenceService/ServerLive"
REQUEST = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
ROTATIONS = 4


def write(file: Path, *lines: str) -> None:
    """Put a tokens file in place at once."""
    temporary = file.with_suffix(".new")
    temporary.write_text("# Who may call.\n\n" + "\n".join(lines) + "\n")
    temporary.chmod(0o600)
    temporary.replace(file)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that wants tokens, and the files that hold them."""

    server: ServerProcess
    tokens: Path
    admin_tokens: Path

    def connect(self, token: str | None = CALLER) -> Client:
        return Client(self.server.grpc_address, token=token, options=OPTIONS)

    @contextlib.contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(self.server.grpc_address) as opened:
            yield opened


@pytest.fixture(scope="module")
def guarded(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, lane: bool
) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    tokens, admin_tokens = folder / "tokens", folder / "admin"
    write(tokens, f"caller: {CALLER}", f"other: {OTHER}")
    write(admin_tokens, f"boss: {ADMIN}")
    files = ["--tokens-file", str(tokens), "--admin-tokens-file", str(admin_tokens)]
    with start_server(repository, *files, *mode(lane)) as server:
        yield Guarded(server, tokens, admin_tokens)


def call(channel: grpc.Channel, path: str, metadata: Any) -> object:
    """Call a method of any kind."""
    if path == STREAM:
        stream: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
        return next(iter(stream(iter([REQUEST]), metadata=metadata, timeout=60)))
    unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    message = REQUEST if path == PREDICT else protocol.ServerLiveRequest().SerializeToString()
    return unary(message, metadata=metadata, timeout=60)


@pytest.mark.parametrize("path", [PREDICT, STREAM, LIVE])
@pytest.mark.parametrize(
    ("metadata", "reason", "words"),
    [
        ((), "no_token", "the call has no token"),
        ([("authorization", "Basic dXNlcjpwYXNz")], "no_token", "not a bearer token"),
        (bearer("0123456789abcdef-wrong"), "unknown_token", "token is not known"),
        (bearer(CALLER + "x"), "unknown_token", "token is not known"),
        (bearer(ADMIN), "unknown_token", "token is not known"),
    ],
    ids=["none", "scheme", "wrong", "longer", "admin"],
)
def test_calls_without_a_known_token_are_told_what_to_send(
    guarded: Guarded, path: str, metadata: Any, reason: str, words: str
) -> None:
    service, method = path[1:].split("/")
    refused = {"grpc_service": service, "grpc_method": method, "grpc_code": "Unauthenticated"}
    counts = (
        ("mlpserve_rejected_requests_total", {"reason": reason}),
        ("grpc_server_handled_total", refused),
    )
    before = [value(guarded.server, name, **labels) for name, labels in counts]
    with guarded.channel() as channel, pytest.raises(grpc.RpcError, match=words) as caught:
        call(channel, path, metadata)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    details = caught.value.details() or ""
    for remedy in ("`authorization: Bearer TOKEN`", "--token-file FILE", "token="):
        assert remedy in details
    assert "`authorization: Bearer TOKEN`" in details
    for _, sent in metadata:
        assert sent.rpartition(" ")[2] not in details
    assert error_info(caught.value).reason == reason.upper()
    after = [value(guarded.server, name, **labels) for name, labels in counts]
    assert after == [count + 1 for count in before]


@pytest.mark.parametrize("path", [PREDICT, STREAM, LIVE])
def test_calls_with_a_token_are_counted_by_its_name(guarded: Guarded, path: str) -> None:
    labels = {"part": "tokens", "token": "other"}
    before = value(guarded.server, "mlpserve_token_calls_total", **labels)
    with guarded.channel() as channel:
        assert call(channel, path, bearer(OTHER))
        assert call(channel, path, [("authorization", f"bearer {OTHER}")])
    assert value(guarded.server, "mlpserve_token_calls_total", **labels) == before + 2


@pytest.mark.parametrize("path", [PREDICT, LIVE])
def test_tokens_are_looked_at_before_the_message(guarded: Guarded, path: str) -> None:
    never = threading.Event()

    def nothing() -> Iterator[bytes]:
        never.wait()
        yield from ()

    with guarded.channel() as channel:
        predict: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(path)
        future = predict.future(nothing(), timeout=60)
        assert future.code() is grpc.StatusCode.UNAUTHENTICATED
        never.set()


@ON_THE_LANE
def test_health_needs_no_token_and_reflection_does(guarded: Guarded) -> None:
    with guarded.channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="mlpserve.v1.Classifier")
        assert stub.Check(request, timeout=60).status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(request)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@ON_THE_LANE
def test_client_sends_its_token(guarded: Guarded) -> None:
    with guarded.connect() as client:
        assert client.is_ready()
        assert len(client.predict(BLACK)) == 1
    for token in (None, "0123456789abcdef-wrong"):
        with guarded.connect(token) as client, pytest.raises(Unauthenticated, match="; give "):
            client.predict(BLACK)


@ON_THE_LANE
def test_rotation_under_load_fails_no_call(guarded: Guarded) -> None:
    used = CALLER
    with calling(lambda: guarded.connect(used)) as counts:
        for number in range(ROTATIONS):
            old, new = used, f"0123456789abcdef-caller-{number}"
            write(guarded.tokens, f"caller: {old}", f"caller: {new}", f"other: {OTHER}")
            wait_for(lambda new=new: is_known(guarded, new))  # type: ignore[misc]
            used = new
            # Each caller ends its connection, which has the old token, after three calls.
            counts.go_on(20)
            write(guarded.tokens, f"caller: {new}", f"other: {OTHER}")
            wait_for(lambda old=old: not is_known(guarded, old))  # type: ignore[misc]
    write(guarded.tokens, f"caller: {CALLER}", f"other: {OTHER}")
    wait_for(lambda: is_known(guarded, CALLER))
    counts.check()
    assert counts.sent >= 20 * ROTATIONS


def test_an_unknown_token_has_no_file_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    write(file, f"caller: {CALLER}")
    tokens = Tokens("tokens", file, "the tokens")
    looked: list[Path] = []
    stat = Path.stat

    def look(path: Path, **how: bool) -> os.stat_result:
        looked.append(path)
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", look)
    for _ in range(100):
        refused = tokens.refusal(bearer("0123456789abcdef-wrong"))
        assert refused is not None
        assert refused.reason == "unknown_token"
    assert tokens.refusal(bearer(CALLER)) is None
    assert not looked


def is_known(guarded: Guarded, token: str) -> bool:
    with guarded.connect(token) as client:
        try:
            client.predict(BLACK)
        except Unauthenticated:
            return False
    return True


@ON_THE_LANE
def test_a_bad_file_keeps_the_old_tokens(guarded: Guarded) -> None:
    success = "mlpserve_last_reload_successful"
    write(guarded.tokens, f"caller {OTHER}")
    wait_for(lambda: value(guarded.server, success, part="tokens") == 0)
    assert is_known(guarded, CALLER)
    with guarded.channel() as channel:
        answer = reload(channel, ADMIN)
    errors = {part.name: part.error for part in answer.parts}
    assert errors["admin_tokens"] == ""
    assert f"line 3 of the tokens file {guarded.tokens} is not `name: token`" in errors["tokens"]
    write(guarded.tokens, f"caller: {CALLER}", f"other: {OTHER}")
    wait_for(lambda: value(guarded.server, success, part="tokens") == 1)
    secrets = (CALLER, OTHER, ADMIN)
    assert not any(secret in json.dumps(guarded.server.log) for secret in secrets)


@ON_THE_LANE
def test_admin_needs_a_token_of_its_own(guarded: Guarded) -> None:
    with guarded.channel() as channel:
        answer = reload(channel, ADMIN)
        assert {part.name: part.error for part in answer.parts} == {
            "tokens": "",
            "admin_tokens": "",
            "models": "",
        }
        with pytest.raises(grpc.RpcError, match="the server's admin tokens") as caught:
            reload(channel, CALLER)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    labels = {"part": "admin_tokens", "token": "boss"}
    assert value(guarded.server, "mlpserve_token_calls_total", **labels) >= 1


def test_admin_is_off_by_default(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        reload(channel, ADMIN)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "mlpserve.v1.Admin" not in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_open_reflection_and_warnings_of_carelessness(repository: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    write(tokens, f"caller: {CALLER}")
    tokens.chmod(0o644)
    arguments = ["--tokens-file", str(tokens), "--reflection", "open"]
    with start_server(repository, *arguments, "--grpc-address", "0.0.0.0:0") as server:
        warnings = {line["event"]: line for line in server.log if line.get("level") == "warning"}
        assert warnings["a secret is readable by everyone"]["remedy"] == f"chmod o-r {tokens}"
        assert "tokens are sent unencrypted because TLS is off" in warnings
        address = server.grpc_address.replace("0.0.0.0", "127.0.0.1")
        with grpc.insecure_channel(address) as channel:
            assert ProtoReflectionDescriptorDatabase(channel).get_services()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "contains no token"),
        ("# nothing\n", "contains no token"),
        ("caller\n", "line 1 of the tokens file .* is not `name: token`"),
        (f"# ok\ncaller: {CALLER[:15]}\n", "line 2 .* a token 16 or more"),
        (f"the caller: {CALLER}\n", "line 1 .* is not"),
        (f"a: {CALLER}\nb: {CALLER}\n", "line 2 of the tokens file .* repeats a token"),
        ("".join(f"a: 0123456789abcdef{n}\n" for n in range(257)), "contains 257 tokens"),
        ("a: \xff", "can't be read: it is not UTF-8"),
        (f"a: {CALLER}\xc2\xa0\n", "line 1 .* is not"),
        (f"a\xe2\x80\x83: {CALLER}\n", "line 1 .* is not"),
        (f"\xef\xbb\xbfa: {CALLER}\n", "line 1 .* is not"),
        (f"a: {CALLER}\0\n", "line 1 .* is not"),
        (f"a: {CALLER}\x0bb: {OTHER}\n", "line 1 .* is not"),
        (f"a: {CALLER}\xc2\x85\n", "line 1 .* is not"),
        (f"a: {CALLER[:9]} {CALLER[9:]}\n", "line 1 .* is not"),
        (f"a: {CALLER}\rb: {OTHER}\n", "line 1 .* is not"),
    ],
)
def test_files_that_can_not_be_used(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(StartupError, match=words) as caught:
        read_tokens(file)
    assert CALLER[:15] not in str(caught.value)
    with pytest.raises(StartupError, match="can't be read: No such file"):
        read_tokens(tmp_path / "none")


def test_spaces_and_line_ends_of_any_system_are_no_part_of_a_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(f"\t # comment\r\n\r\n  a :\t{CALLER} \t\r\nb:{OTHER}".encode())
    file.chmod(0o600)
    assert sorted(read_tokens(file).values()) == ["a", "b"]
