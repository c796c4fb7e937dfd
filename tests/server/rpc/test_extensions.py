"""ServerMetadata lists the extensions of the protocol that a server has, and no others."""

import re
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest

import mlpserve
from harness.calls import INFERENCE, ask, bearer, raw_method
from harness.server_process import start_server
from mlpserve.inference import open_inference_pb2 as protocol
from tests.documents import pages
from tests.server.rpc.infer_calls import infer, raw_request
from tests.server.versions import publish

TOKEN = "b" * 32
BLACK = np.zeros((1, 4), np.float32)
REPOSITORY = ["RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"]
METHODS = {
    "model_configuration": ["ModelConfig"],
    "model_repository": REPOSITORY,
    "model_repository(unload_dependents)": REPOSITORY,
    "statistics": ["ModelStatistics"],
}
"""The methods of each extension, by Triton's documents."""


def extensions(channel: grpc.Channel) -> list[str]:
    request, kind = protocol.ServerMetadataRequest(), protocol.ServerMetadataResponse
    answer = ask(channel, "ServerMetadata", request, kind)
    assert (answer.name, answer.version) == ("mlpserve", mlpserve.__version__)
    return list(answer.extensions)


def code_of(channel: grpc.Channel, method: str) -> grpc.StatusCode:
    """How a method answers an empty message, which asks for nothing that can be had."""
    try:
        raw_method(channel, f"/{INFERENCE}/{method}")(
            b"", timeout=60, metadata=tuple(bearer(TOKEN))
        )
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def offers(channel: grpc.Channel, methods: list[str]) -> bool:
    codes = {code_of(channel, method) for method in methods}
    return not codes & {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.FAILED_PRECONDITION}


@pytest.fixture(scope="module", params=["watched", "watched by an admin", "unwatched", "changed"])
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"boss: {TOKEN}\n")
    admin = ["--admin-tokens-file", str(tokens)]
    off = ["--watch", "off"]
    return {
        "watched": [],
        "watched by an admin": admin,
        "unwatched": off,
        "changed": admin + off,
    }[request.param]


@pytest.fixture(scope="module")
def asked(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    folder = tmp_path_factory.mktemp("models")
    publish(folder, 1)
    with (
        start_server(folder, *settings) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield channel


def test_methods_are_there_where_their_extension_is_listed(
    asked: grpc.Channel, settings: list[str]
) -> None:
    listed = extensions(asked)
    assert listed == sorted(set(listed))
    assert {name for name in METHODS if offers(asked, METHODS[name])} == METHODS.keys() & listed
    assert ("model_repository" in listed) == (len(settings) == 4)


def is_classified(channel: grpc.Channel) -> bool:
    request = raw_request(BLACK, "activations")
    request.outputs[0].parameters["classification"].int64_param = 2
    (output,) = infer(channel, request).outputs
    return (output.datatype, list(output.shape)) == ("BYTES", [1, 2])


def is_raw_where_wanted(channel: grpc.Channel) -> bool:
    request = raw_request(BLACK, "labels")
    request.parameters["binary_data_output"].bool_param = False
    answer = infer(channel, request)
    return bool(answer.outputs[0].contents.int64_contents and not answer.raw_output_contents)


def takes_parameters(channel: grpc.Channel) -> bool:
    request = raw_request(BLACK, "labels")
    request.parameters["mine"].string_param = "anything"
    return bool(infer(channel, request).outputs)


def takes_timeouts(channel: grpc.Channel) -> bool:
    request = raw_request(BLACK, "labels")
    request.parameters["timeout"].int64_param = 60_000_000
    taken = bool(infer(channel, request).outputs)
    request.parameters["timeout"].string_param = "soon"
    with pytest.raises(grpc.RpcError, match="timeout"):
        infer(channel, request)
    return taken


OF_REQUESTS: dict[str, Callable[[grpc.Channel], bool]] = {
    "binary_tensor_data": is_raw_where_wanted,
    "classification": is_classified,
    "parameters": takes_parameters,
    "schedule_policy": takes_timeouts,
}


def test_requests_are_understood_as_listed(asked: grpc.Channel) -> None:
    listed = set(extensions(asked))
    assert listed - METHODS.keys() == OF_REQUESTS.keys()
    assert all(is_there(asked) for is_there in OF_REQUESTS.values())


def test_methods_that_the_readme_calls_missing_are_missing(channel: grpc.Channel) -> None:
    _, _, limits = pages.text("README.md").partition("within these limits")
    named = re.findall(r"`(\w+(?:Register|Settings?))`", limits.partition("\n\nWithout")[0])
    assert len(named) == 4
    assert {code_of(channel, method) for method in named} == {grpc.StatusCode.UNIMPLEMENTED}
