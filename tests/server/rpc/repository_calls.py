"""Calls of the public protocol that are about all workers, and connections to each of these."""

import contextlib
from collections.abc import Iterator

import grpc

from harness.calls import ask, bearer
from mlpserve.inference import open_inference_pb2 as protocol

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


def _shown(token: str) -> list[tuple[str, str]]:
    return bearer(token) if token else []


def statistics(
    channel: grpc.Channel, name: str = "", version: str = ""
) -> dict[tuple[str, str], protocol.ModelStatistics]:
    """Return the statistics of each version asked for, by the names of both."""
    request = protocol.ModelStatisticsRequest(name=name, version=version)
    answer = ask(channel, "ModelStatistics", request, protocol.ModelStatisticsResponse)
    return {(one.name, one.version): one for one in answer.model_stats}


def load(channel: grpc.Channel, name: str, token: str = TOKEN, **fields: object) -> None:
    """Have a model loaded on all workers."""
    request = protocol.RepositoryModelLoadRequest(model_name=name, **fields)  # type: ignore[arg-type]
    ask(
        channel, "RepositoryModelLoad", request, protocol.RepositoryModelLoadResponse, _shown(token)
    )


def unload(channel: grpc.Channel, name: str, token: str = TOKEN, **fields: object) -> None:
    """Have a model unloaded on all workers."""
    request = protocol.RepositoryModelUnloadRequest(model_name=name, **fields)  # type: ignore[arg-type]
    ask(
        channel,
        "RepositoryModelUnload",
        request,
        protocol.RepositoryModelUnloadResponse,
        _shown(token),
    )
