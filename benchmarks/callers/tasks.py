"""Calls from a task, by gRPC's stub for asyncio with a ready message and by the client for it."""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio

from benchmarks.callers.blocking import message_of
from benchmarks.callers.timed import Case, Repeat, inputs, serve
from mlpserve.aio import Client
from mlpserve.v1 import classifier_pb2_grpc

STUB, CLIENT = "aio stub", "aio.Client"


def repeat(runner: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Repeat:
    """Return what awaits so many of these calls in the runner's loop."""

    async def calls(count: int) -> None:
        for _ in range(count):
            await call()

    return lambda count: runner.run(calls(count))


def main(address: str) -> None:
    """Call the server as told."""
    cases: dict[Case, Repeat] = {}
    with asyncio.Runner() as runner:
        # A channel belongs to the loop that runs when it is made.
        channel, client = runner.run(connect(address))
        stub: Any = classifier_pb2_grpc.ClassifierStub(channel)  # type: ignore[no-untyped-call]  # generated
        for size, kind, images in inputs():
            call = functools.partial(stub.Predict, message_of(images))
            cases[Case(STUB, size, kind)] = repeat(runner, call)
            predict = functools.partial(client.predict, images)
            cases[Case(CLIENT, size, kind)] = repeat(runner, predict)
        serve(cases)
        runner.run(client.close())
        runner.run(channel.close())


async def connect(address: str) -> tuple[grpc.aio.Channel, Client]:
    """Return a bare channel and a client."""
    return grpc.aio.insecure_channel(address), Client(address)


if __name__ == "__main__":
    main(sys.argv[1])
