"""Headers that no library sends: what they are taken for, and that none of them is ever logged."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import http2
from harness.calls import PREDICT
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest

TOKEN = b"0123456789abcdef-caller"
STREAM = "/mlpserve.v1.Classifier/PredictStream"
LIVE = "/inference.GRPCInferenceService/ServerLive"
HEALTH = "/grpc.health.v1.Health/Check"
MESSAGES = {
    PREDICT: PredictRequest(pixels_u8=bytes(784)).SerializeToString(),
    STREAM: PredictRequest(pixels_u8=bytes(784)).SerializeToString(),
    LIVE: b"",
    HEALTH: b"",
}
SECRET = b"5ecret"
"""What no line may hold."""


@pytest.fixture(scope="module")
def guarded(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    tokens = tmp_path_factory.mktemp("guarded") / "tokens"
    tokens.write_text(f"caller: {TOKEN.decode()}\n")
    tokens.chmod(0o600)
    arguments = ["--tokens-file", str(tokens), "--log-level", "debug", "--log-calls", "1"]
    with start_server(repository, *arguments) as running:
        yield running


def call(server: ServerProcess, path: str | bytes, *metadata: tuple[bytes, bytes]) -> bytes:
    """Make a call; returns the headers that end it."""
    message = MESSAGES[path] if isinstance(path, str) else b""
    with http2.connect(server.grpc_address) as connection:
        return connection.call(path, message, *metadata)


@pytest.mark.parametrize("path", [PREDICT, STREAM, LIVE])
@pytest.mark.parametrize(
    ("given", "is_known"),
    [
        ([b"Bearer " + TOKEN], True),
        ([b"bEARER   " + TOKEN], True),
        ([b"Bearer " + TOKEN] * 2, True),
        ([b"Bearer " + TOKEN + b"\xc2\xa0"], False),
        ([b"Bearer " + TOKEN + b"\xa0"], False),
        ([b"Bearer \xe2\x80\x83" + TOKEN], False),
        ([b"Bearer\t" + TOKEN], False),
        ([b"Bearer " + TOKEN + b"\0"], False),
        ([b"Bearer " + TOKEN + b","], False),
        ([b"Bearer " + TOKEN + b"=" * 3], False),
        ([b"Bearer" + TOKEN], False),
        ([b"Bearer"], False),
        ([TOKEN], False),
        ([b"\xff\xfe " + TOKEN], False),
        # Who passed it on may have added its own.
        ([b"Bearer " + TOKEN, b"Bearer 0123456789abcdef-other"], False),
        ([b"Basic x", b"Bearer " + TOKEN], False),
    ],
)
def test_a_token_is_exactly_what_the_file_says(
    guarded: ServerProcess, path: str, given: list[bytes], is_known: bool
) -> None:
    end = call(guarded, path, *((b"authorization", value) for value in given))
    assert (b"grpc-status\x010" in end) == is_known
    assert (b"grpc-status\x0216" in end) == (not is_known)


@pytest.mark.parametrize("path", [PREDICT, STREAM, LIVE, HEALTH])
def test_no_header_is_ever_logged(guarded: ServerProcess, path: str) -> None:
    known = (b"authorization", b"Bearer " + TOKEN)
    call(guarded, path, (b"authorization", b"Bearer \xff" + SECRET))
    call(guarded, path, (b"authorization", SECRET + b"\xff"))
    for name in (
        *(b"x-request-id", b"traceparent", b"tracestate", b"user-agent", b"route-key", b"cookie"),
        *(b"x-api-key", b"grpc-timeout", b"grpc-encoding", b"grpc-accept-encoding", b"x-bin"),
        *(b"grpc-trace-bin", b"5ecret-\xff", b"te", b"content-type", b"host"),
    ):
        for value in (SECRET + b"\xff\xfe", SECRET + b"\0\n", b"\xc3" + SECRET):
            call(guarded, path, known, (name, value))
    call(guarded, f"{path}\xff".encode("latin-1"), known)
    marker = f"the last of {path.rpartition('/')[2]}"
    call(guarded, path, known, (b"x-request-id", marker.encode()))
    wait_for(lambda: any(line.get("request_id") == marker for line in guarded.log))
    lines = [json.dumps(line) for line in guarded.log]
    assert not [line for line in lines if SECRET.decode() in line or TOKEN.decode() in line]
    assert not [line for line in lines if "not JSON" in line or "cygrpc" in line]
