"""Reflection, asked by the tools that people use, in its old version and its new."""

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server

CLASSIFIER, OTHER = "mlpserve.v1.Classifier", "inference.GRPCInferenceService"
V1, ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"
SERVICES = {CLASSIFIER, OTHER, "grpc.health.v1.Health", V1, ALPHA}
BLACK = json.dumps({"pixels": [0.0] * 784})
LIST = ServerReflectionRequest(list_services="")


def run(tool: str, *arguments: str, body: str = "") -> str:
    """Return what a tool beside Python prints."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    ended = subprocess.run(command, input=body, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def ask(
    channel: grpc.Channel, service: str, requests: Iterable[ServerReflectionRequest]
) -> Iterator[ServerReflectionResponse]:
    """Ask in a version of reflection, whose messages are the same on the wire."""
    call: grpc.StreamStreamMultiCallable[ServerReflectionRequest, ServerReflectionResponse]
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=ServerReflectionResponse.FromString,
    )
    return call(iter(requests), timeout=60)


def idle(end: threading.Event) -> Iterator[ServerReflectionRequest]:
    """A question of a caller who then stays until the end."""
    yield LIST
    end.wait()


def named(response: ServerReflectionResponse) -> set[str]:
    return {service.name for service in response.list_services_response.service}


def test_grpcs_own_client_finds_the_services(each_channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(each_channel)
    assert set(database.get_services()) == SERVICES
    service = DescriptorPool(database).FindServiceByName(CLASSIFIER)
    assert service.methods_by_name["Predict"].input_type.fields_by_name["pixels_u8"].number == 4


def test_grpcurl_predicts_without_the_proto_file(each_server: ServerProcess) -> None:
    address = each_server.grpc_address
    assert set(run("grpcurl", "-plaintext", address, "list").split()) == SERVICES
    described = run("grpcurl", "-plaintext", address, "describe", V1)
    assert "rpc ServerReflectionInfo ( stream .grpc.reflection.v1.ServerReflectionRequest" in (
        described
    )
    arguments = ("-plaintext", "-d", "@", address, f"{CLASSIFIER}/Predict")
    answer = json.loads(run("grpcurl", *arguments, body=BLACK))
    assert answer["model"] == "digits"
    assert len(answer["activations"]) == 10


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_buf_predicts_by_either_version(each_server: ServerProcess, version: str) -> None:
    counted = {"grpc_service": f"grpc.reflection.{version}.ServerReflection", "grpc_code": "OK"}
    before = value(each_server, "grpc_server_handled_total", **counted)
    arguments = ("--http2-prior-knowledge", "--protocol", "grpc", "-d", "@-")
    version_flag = f"--reflect-protocol=grpc-{version}"
    url = f"http://{each_server.grpc_address}/{CLASSIFIER}/Predict"
    answer = json.loads(run("buf", "curl", *arguments, version_flag, url, body=BLACK))
    assert (answer["model"], len(answer["activations"])) == ("digits", 10)
    assert value(each_server, "grpc_server_handled_total", **counted) > before


def test_versions_describe_themselves_and_all_else_alike(each_channel: grpc.Channel) -> None:
    requests = [
        LIST,
        *(ServerReflectionRequest(file_containing_symbol=name) for name in sorted(SERVICES)),
        ServerReflectionRequest(file_containing_symbol="no.such.Service"),
    ]
    new, old = ([*ask(each_channel, service, requests)] for service in (V1, ALPHA))
    assert new == old
    assert named(new[0]) == SERVICES
    (described,) = new[
        1 + sorted(SERVICES).index(V1)
    ].file_descriptor_response.file_descriptor_proto
    file = FileDescriptorProto.FromString(described)
    assert (file.package, file.service[0].name) == ("grpc.reflection.v1", "ServerReflection")
    assert "v1alpha" not in str(file)
    assert new[-1].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("service", [V1, ALPHA])
def test_large_questions_are_refused(each_channel: grpc.Channel, service: str) -> None:
    large = ServerReflectionRequest(file_containing_symbol="x" * (256 * 1024))
    answers = ask(each_channel, service, [LIST, large])
    assert named(next(answers)) == SERVICES
    with pytest.raises(grpc.RpcError, match="262144; send only the fields") as caught:
        next(answers)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_versions_share_the_streams_that_a_server_takes(repository: Path, lane: bool) -> None:
    with (
        start_server(repository, "--max-streams", "2", *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        contextlib.ExitStack() as opened,
    ):
        kept: list[Iterator[ServerReflectionResponse]] = []
        for service in (V1, ALPHA):
            end = threading.Event()
            opened.callback(end.set)
            kept.append(ask(channel, service, idle(end)))
            assert named(next(kept[-1])) == SERVICES
        for service in (V1, ALPHA):
            with pytest.raises(grpc.RpcError, match="2 streams are in progress") as caught:
                next(ask(channel, service, [LIST]))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("on", grpc.StatusCode.UNAUTHENTICATED),
        ("open", None),
        ("off", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_who_may_ask(
    repository: Path, tmp_path: Path, setting: str, code: grpc.StatusCode | None
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"caller: {'a' * 32}\n")
    arguments = ("--reflection", setting, "--tokens-file", str(tokens))
    with (
        start_server(repository, *arguments) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for service in (V1, ALPHA):
            answers = ask(channel, service, [LIST])
            if code is None:
                assert named(next(answers)) == SERVICES
                continue
            with pytest.raises(grpc.RpcError) as caught:
                next(answers)
            assert caught.value.code() is code
