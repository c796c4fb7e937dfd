"""Calls of the public protocol that are about all workers, and connections to each of these."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from harness.calls import bearer
from mlpserve.inference import open_inference_pb2 as protocol

Response = TypeVar("Response", bound=Message)

TOKEN = "boss-0123456789abcdef"
TOKENS = f"boss: {TOKEN}\n"
"""What the server's file of admin tokens holds."""


@contextlib.contextmanager
def connections(address: str, number: int = 16) -> Iterator[list[grpc.Channel]]:
    """So many connections of their own, which the kernel spreads over the workers."""
    # Channels of the same settings share a connection unless told otherwise.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as opened:
        yield [
            opened.enter_context(grpc.insecure_channel(address, options=options))
            for _ in range(number)
        ]


def ask(
    channel: grpc.Channel,
    request: Message,
    kind: type[Response],
    token: str = "",
    timeout: float = 120,
) -> Response:
    """Call the method that takes such a request."""
    name = type(request).__name__.removesuffix("Request")
    call: grpc.UnaryUnaryMultiCallable[Message, Response] = channel.unary_unary(
        f"/inference.GRPCInferenceService/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=kind.FromString,
    )
    return call(request, metadata=tuple(bearer(token)) if token else None, timeout=timeout)


def statistics(
    channel: grpc.Channel, name: str = "", version: str = ""
) -> dict[tuple[str, str], protocol.ModelStatistics]:
    """Return the statistics of each version asked for, by the names of both."""
    request = protocol.ModelStatisticsRequest(name=name, version=version)
    answer = ask(channel, request, protocol.ModelStatisticsResponse)
    return {(one.name, one.version): one for one in answer.model_stats}


def load(channel: grpc.Channel, name: str, token: str = TOKEN, **fields: object) -> None:
    """Have a model loaded on all workers."""
    request = protocol.RepositoryModelLoadRequest(model_name=name, **fields)  # type: ignore[arg-type]
    ask(channel, request, protocol.RepositoryModelLoadResponse, token)


def unload(channel: grpc.Channel, name: str, token: str = TOKEN, **fields: object) -> None:
    """Have a model unloaded on all workers."""
    request = protocol.RepositoryModelUnloadRequest(model_name=name, **fields)  # type: ignore[arg-type]
    ask(channel, request, protocol.RepositoryModelUnloadResponse, token)
