"""inference.GRPCInferenceService behind the server's own gRPC port."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message
from starlette.requests import Request

from mlpserve.inference import open_inference_pb2 as protocol
from server.http.calling.timing import Timing
from server.http.grpc_port import GrpcPort

NAME = protocol.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

M = TypeVar("M", bound=Message)


class Service:
    """Calls the service's methods on behalf of HTTP requests."""

    def __init__(self, port: GrpcPort) -> None:
        self._port = port

    async def call(
        self,
        method: str,
        message: Message,
        answer: type[M],
        request: Request,
        timing: Timing | None = None,
    ) -> M:
        """Return a method's answer to a message; raises HttpError."""
        path, content = f"/{NAME}/{method}", message.SerializeToString()
        content = await self._port.call(path, content, request, timing=timing)
        return answer.FromString(content)

    async def call_about(
        self, method: str, question: Callable[..., Message], answer: type[M], request: Request
    ) -> M:
        """Return a method's answer about the model that a path names; raises HttpError."""
        name, version = names_of(request)
        return await self.call(method, question(name=name, version=version), answer, request)


def names_of(request: Request) -> tuple[str, str]:
    """Return the model and the version, or its label, that a path names; empty if it names none."""
    return request.path_params.get("model", ""), request.path_params.get("version", "")
