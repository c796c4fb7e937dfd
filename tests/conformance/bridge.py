"""A gRPC server that asks an HTTP one, so that the rules hold for both forms of the protocol."""

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.message import Message

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance import bridged_infer
from tests.conformance.calls import SERVICE

STATUSES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What stands for a status of HTTP; UNKNOWN for others."""

OF_GRPC = ("errors.unreadable-message-is-an-error", "forms.contents-in-another-field-*")
"""Rules that say nothing of HTTP."""

THREADS = 16


class Refused(Exception):
    """The HTTP server answered with an error."""

    def __init__(self, response: httpx.Response) -> None:
        error = json.loads(response.content)["error"]
        assert isinstance(error, str)
        super().__init__(error)
        self.code = STATUSES.get(response.status_code, grpc.StatusCode.UNKNOWN)


@contextlib.contextmanager
def bridge(url: str, ca: Path | None = None, timeout_seconds: float = 60.0) -> Iterator[str]:
    """Answer gRPC by what the server at a URL answers over HTTP; yields the address."""
    trusted = ssl.create_default_context(cafile=ca)
    pool = ThreadPoolExecutor(THREADS)
    options = [(f"grpc.max_{way}_message_length", -1) for way in ("receive", "send")]
    server = grpc.server(pool, options=options)
    with httpx.Client(base_url=url, timeout=timeout_seconds, verify=trusted) as client:
        server.add_generic_rpc_handlers((Bridge(client),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
            pool.shutdown()


class Bridge(grpc.GenericRpcHandler):
    """Each method of the service but streams."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Return what answers a method."""
        service, _, name = details.method.lstrip("/").partition("/")
        ask = METHODS.get(name)
        if service != SERVICE or ask is None:
            return None
        kind = getattr(protocol, f"{name}Request")

        def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
            sent = {
                name: str(value)
                for name, value in context.invocation_metadata()
                if name == "authorization"
            }
            try:
                return ask(Caller(self._client, sent), kind.FromString(message)).SerializeToString()
            except Refused as refused:
                context.abort(refused.code, str(refused))

        return grpc.unary_unary_rpc_method_handler(answer)


class Caller:
    """Sends requests with somebody's headers."""

    def __init__(self, client: httpx.Client, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers

    def get(self, path: str) -> Any:
        """Return the JSON that a question is answered with; raises Refused."""
        return _content(self._client.get(path, headers=self._headers))

    def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Send a body; raises Refused."""
        response = self._client.post(path, content=body, headers=self._headers | headers)
        if response.status_code != httpx.codes.OK:
            raise Refused(response)
        return response

    def is_so(self, path: str, name: str) -> bool:
        """Return a boolean, which the status repeats; raises Refused."""
        response = self._client.get(path, headers=self._headers)
        content = json.loads(response.content)
        if name not in content:
            raise Refused(response)
        found = content[name]
        assert found is (response.status_code == httpx.codes.OK), (response.status_code, content)
        return bool(found)


def _content(response: httpx.Response) -> Any:
    if response.status_code != httpx.codes.OK:
        raise Refused(response)
    return json.loads(response.content)


def _model(name: str, version: str) -> str:
    path = f"/v2/models/{quote(name, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}" if version else path


def _live(caller: Caller, _request: Message) -> Message:
    return protocol.ServerLiveResponse(live=caller.is_so("/v2/health/live", "live"))


def _ready(caller: Caller, _request: Message) -> Message:
    return protocol.ServerReadyResponse(ready=caller.is_so("/v2/health/ready", "ready"))


def _model_ready(caller: Caller, request: Any) -> Message:
    path = f"{_model(request.name, request.version)}/ready"
    return protocol.ModelReadyResponse(ready=caller.is_so(path, "ready"))


def _server_metadata(caller: Caller, _request: Message) -> Message:
    return json_format.ParseDict(caller.get("/v2"), protocol.ServerMetadataResponse())


def _model_metadata(caller: Caller, request: Any) -> Message:
    content = caller.get(_model(request.name, request.version))
    return json_format.ParseDict(content, protocol.ModelMetadataResponse())


def _config(caller: Caller, request: Any) -> Message:
    content = caller.get(f"{_model(request.name, request.version)}/config")
    return json_format.ParseDict({"config": content}, protocol.ModelConfigResponse())


def _statistics(caller: Caller, request: Any) -> Message:
    path = _model(request.name, request.version) if request.name else "/v2/models"
    return json_format.ParseDict(caller.get(f"{path}/stats"), protocol.ModelStatisticsResponse())


def _index(caller: Caller, request: Any) -> Message:
    body = json.dumps({"ready": request.ready}).encode()
    content = caller.post("/v2/repository/index", body).json()
    return json_format.ParseDict({"models": content}, protocol.RepositoryIndexResponse())


def _change(verb: str, answer: Message) -> Callable[[Caller, Any], Message]:
    def change(caller: Caller, request: Any) -> Message:
        parameters = bridged_infer.parameters_of(request)
        path = f"/v2/repository/models/{quote(request.model_name, safe='')}/{verb}"
        caller.post(path, json.dumps({"parameters": parameters}).encode())
        return answer

    return change


def _infer(caller: Caller, request: Any) -> Message:
    body, headers = bridged_infer.write(request)
    path = f"{_model(request.model_name, request.model_version)}/infer"
    return bridged_infer.read(caller.post(path, body, **headers))


METHODS: dict[str, Callable[[Caller, Any], Message]] = {
    "ServerLive": _live,
    "ServerReady": _ready,
    "ServerMetadata": _server_metadata,
    "ModelReady": _model_ready,
    "ModelMetadata": _model_metadata,
    "ModelInfer": _infer,
    "ModelConfig": _config,
    "ModelStatistics": _statistics,
    "RepositoryIndex": _index,
    "RepositoryModelLoad": _change("load", protocol.RepositoryModelLoadResponse()),
    "RepositoryModelUnload": _change("unload", protocol.RepositoryModelUnloadResponse()),
}
