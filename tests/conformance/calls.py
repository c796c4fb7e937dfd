"""The protocol's calls, by the generated messages alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from mlpserve.inference import open_inference_pb2 as protocol

SERVICE = "inference.GRPCInferenceService"
Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Server:
    """A server at the other end of a channel; every call may raise grpc.RpcError.

    `admin_metadata` goes with the calls that load and unload models; `connect` makes another
    connection to it.
    """

    channel: grpc.Channel
    timeout_seconds: float = 30.0
    metadata: tuple[tuple[str, str], ...] = ()
    admin_metadata: tuple[tuple[str, str], ...] = ()
    connect: Callable[[], grpc.Channel] | None = None

    def live(self) -> bool:
        """Make ServerLive."""
        request = protocol.ServerLiveRequest()
        return self.call("ServerLive", request, protocol.ServerLiveResponse).live

    def ready(self) -> bool:
        """Make ServerReady."""
        request = protocol.ServerReadyRequest()
        return self.call("ServerReady", request, protocol.ServerReadyResponse).ready

    def model_ready(self, name: str, version: str = "") -> bool:
        """Make ModelReady."""
        request = protocol.ModelReadyRequest(name=name, version=version)
        return self.call("ModelReady", request, protocol.ModelReadyResponse).ready

    def server_metadata(self) -> protocol.ServerMetadataResponse:
        """Make ServerMetadata."""
        request = protocol.ServerMetadataRequest()
        return self.call("ServerMetadata", request, protocol.ServerMetadataResponse)

    def model_metadata(self, name: str, version: str = "") -> protocol.ModelMetadataResponse:
        """Make ModelMetadata."""
        request = protocol.ModelMetadataRequest(name=name, version=version)
        return self.call("ModelMetadata", request, protocol.ModelMetadataResponse)

    def infer(self, request: protocol.ModelInferRequest) -> protocol.ModelInferResponse:
        """Make ModelInfer."""
        return self.call("ModelInfer", request, protocol.ModelInferResponse)

    def infer_at_once(
        self, requests: Iterable[protocol.ModelInferRequest]
    ) -> list[protocol.ModelInferResponse | grpc.RpcError]:
        """Make ModelInfer for all of them at the same time; return each one's answer or error."""
        method = self._unary("ModelInfer", protocol.ModelInferResponse)
        futures = [
            method.future(request, timeout=self.timeout_seconds, metadata=self.metadata)
            for request in requests
        ]
        found: list[protocol.ModelInferResponse | grpc.RpcError] = []
        for future in futures:
            try:
                found.append(future.result())
            except grpc.RpcError as error:
                found.append(error)
        return found

    def load(self, name: str) -> None:
        """Make RepositoryModelLoad."""
        request = protocol.RepositoryModelLoadRequest(model_name=name)
        method = self._unary("RepositoryModelLoad", protocol.RepositoryModelLoadResponse)
        method(request, timeout=self.timeout_seconds, metadata=self.admin_metadata)

    def unload(self, name: str) -> None:
        """Make RepositoryModelUnload."""
        request = protocol.RepositoryModelUnloadRequest(model_name=name)
        method = self._unary("RepositoryModelUnload", protocol.RepositoryModelUnloadResponse)
        method(request, timeout=self.timeout_seconds, metadata=self.admin_metadata)

    def call(self, name: str, request: Message, kind: type[Answer]) -> Answer:
        """Make a call of one message and one answer."""
        method = self._unary(name, kind)
        return method(request, timeout=self.timeout_seconds, metadata=self.metadata)

    def send_bytes(self, name: str, message: bytes) -> bytes:
        """Make a call with a message that need not be one."""
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        method = self.channel.unary_unary(f"/{SERVICE}/{name}")
        return method(message, timeout=self.timeout_seconds, metadata=self.metadata)

    def stream(
        self, requests: Sequence[protocol.ModelInferRequest]
    ) -> list[protocol.ModelStreamInferResponse]:
        """Make ModelStreamInfer with these requests, and return all answers."""
        method: grpc.StreamStreamMultiCallable[Message, protocol.ModelStreamInferResponse]
        method = self.channel.stream_stream(
            f"/{SERVICE}/ModelStreamInfer",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=protocol.ModelStreamInferResponse.FromString,
        )
        timeout, metadata = self.timeout_seconds, self.metadata
        return list(method(iter(requests), timeout=timeout, metadata=metadata))

    def _unary(
        self, name: str, kind: type[Answer]
    ) -> "grpc.UnaryUnaryMultiCallable[Message, Answer]":
        method: grpc.UnaryUnaryMultiCallable[Message, Answer] = self.channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=kind.FromString,
        )
        return method
