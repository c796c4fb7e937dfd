"""The protocol's questions over HTTP are answered as over gRPC, in the protocol's JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from harness.calls import ask
from harness.server_process import start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from tests.server.http.inference.asking import INFER, opened, post

BLACK = {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 784], "data": [0] * 784}]}
TOKEN = "0123456789abcdef-caller"


def as_numbers(message: Message) -> Any:
    """Protobuf's own JSON of a message, whose numbers of 64 bits are numbers."""
    text = json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    numbers = {"count", "ns", "dims", "shape", "batch_size", "max_queue_delay_microseconds"}
    numbers |= {"last_inference", "inference_count", "execution_count"}

    def hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: to_number(value) if name in numbers else value for name, value in pairs}

    def to_number(value: Any) -> Any:
        return [*map(int, value)] if isinstance(value, list) else int(value)

    return json.loads(text, object_pairs_hook=hook)


@pytest.mark.parametrize(
    ("paths", "method", "request_", "kind"),
    [
        (
            ["/v2"],
            "ServerMetadata",
            protocol.ServerMetadataRequest(),
            protocol.ServerMetadataResponse,
        ),
        (
            ["/v2/models/digits", "/v2/models/digits/versions/1"],
            "ModelMetadata",
            protocol.ModelMetadataRequest(name="digits"),
            protocol.ModelMetadataResponse,
        ),
        (
            [
                "/v2/models/stats",
                "/v2/models/digits/stats",
                "/v2/models/digits/versions/1/stats",
            ],
            "ModelStatistics",
            protocol.ModelStatisticsRequest(),
            protocol.ModelStatisticsResponse,
        ),
    ],
)
def test_answers_are_those_of_grpc(
    client: httpx.Client,
    channel: grpc.Channel,
    paths: list[str],
    method: str,
    request_: Message,
    kind: type[Message],
) -> None:
    assert post(client, BLACK).status_code == 200
    wanted = as_numbers(ask(channel, method, request_, kind))
    for path in paths:
        for end in ("", "/"):
            response = client.get(path + end)
            assert response.status_code == 200
            assert response.headers["content-type"] == "application/json"
            assert response.json() == wanted


def test_the_configuration_is_that_of_grpc(client: httpx.Client, channel: grpc.Channel) -> None:
    asked = protocol.ModelConfigRequest(name="digits")
    wanted = as_numbers(ask(channel, "ModelConfig", asked, protocol.ModelConfigResponse))["config"]
    for path in ("/v2/models/digits/config", "/v2/models/digits/versions/1/config/"):
        assert client.get(path).json() == wanted


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["digits"]}),
        ("/v2/models/digits/ready", {"name": "digits", "ready": True}),
        ("/v2/models/digits/versions/1/ready", {"name": "digits", "ready": True}),
    ],
)
@pytest.mark.parametrize("end", ["", "/"])
def test_what_is_ready(client: httpx.Client, path: str, content: dict[str, Any], end: str) -> None:
    response = client.get(path + end)
    assert (response.status_code, response.json()) == (200, content)


@pytest.mark.parametrize("question", ["", "/ready", "/config", "/stats"])
@pytest.mark.parametrize(
    ("model", "words"),
    [("letters", "'letters' is not loaded"), ("digits/versions/3", "no version 3")],
)
def test_models_that_are_not_there(
    client: httpx.Client, model: str, question: str, words: str
) -> None:
    response = client.get(f"/v2/models/{model}{question}")
    assert response.status_code == 404
    assert words in response.json()["error"]
    assert response.json()["code"] == "NOT_FOUND"


def test_the_index_lists_versions(client: httpx.Client) -> None:
    wanted = [{"name": "digits", "version": "1", "state": "READY", "reason": ""}]
    for content in (b"", b"{}", b'{"ready": true}', b'{"ready": null}'):
        response = client.post("/v2/repository/index", content=content)
        assert (response.status_code, response.json()) == (200, wanted)
    refused = client.post("/v2/repository/index", content=b'{"ready": 1}')
    assert refused.status_code == 400
    assert refused.json()["error"] == "ready is 1, wanted true or false"


def test_parameters_of_loading_are_checked(client: httpx.Client) -> None:
    content = {"parameters": {"config": 0.5}}
    response = post(client, content, "/v2/repository/models/digits/load")
    assert response.status_code == 400
    assert "'config' is 0.5, wanted a string" in response.json()["error"]


def test_a_server_that_stops_is_not_ready_but_answers(repository: Path) -> None:
    with start_server(repository, "--drain-delay-seconds", "600") as server:
        with opened(server) as client:
            server.process.terminate()
            wait_for(lambda: client.get("/v2/health/ready").status_code == 503)
            assert client.get("/v2/health/ready").json() == {"ready": False}
            model = client.get("/v2/models/digits/ready")
            assert (model.status_code, model.json()) == (503, {"name": "digits", "ready": False})
            assert client.get("/v2/models/letters/ready").status_code == 404
            assert client.get("/v2/health/live").json() == {"live": True}
            assert post(client, BLACK).status_code == 200
        # A second signal cuts the ten minutes of draining short.
        assert server.terminate() == 0


def test_tokens_hold_but_for_health(repository: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"caller: {TOKEN}\n")
    tokens.chmod(0o600)
    with start_server(repository, "--tokens-file", str(tokens)) as server, opened(server) as client:
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        asked: dict[str, Callable[..., httpx.Response]] = {
            "/v2": client.get,
            "/v2/models": client.get,
            "/v2/models/digits/ready": client.get,
            "/v2/models/digits/stats": client.get,
            INFER: lambda path, **options: client.post(path, json=BLACK, **options),
        }
        for path, send in asked.items():
            for headers in ({}, {"authorization": "Bearer unknown-unknown-unknown"}):
                response = send(path, headers=headers)
                assert response.status_code == 401
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert "token" in response.json()["error"]
            known = send(path, headers={"authorization": f"Bearer {TOKEN}"})
            assert known.status_code == 200
