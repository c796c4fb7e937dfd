"""Streams over the channels of a client: as gRPC's, in turn, and ended with the client."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from harness.waiting import wait_for
from mlpserve.connection.aio_channels import AioChannels
from mlpserve.connection.channels import Channels
from mlpserve.connection.forks import PROCESS
from mlpserve.connection.settings import Settings

PATH = "/x/Echo"


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Of a server that answers each message of a stream with its connection and the message."""

    def echo(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield context.peer().encode() + b" " + request

    method: Any = grpc.stream_stream_rpc_method_handler(echo)
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(
            pool, handlers=[grpc.method_handlers_generic_handler("x", {"Echo": method})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield Settings.check(f"127.0.0.1:{port}", 60.0, None, None, None, False, connections=2)
        server.stop(None).wait()


def split(answers: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    pairs = [answer.split() for answer in answers]
    return [peer for peer, _ in pairs], [message for _, message in pairs]


def test_streams_of_threads(settings: Settings) -> None:
    channels = Channels(settings)
    method = channels.stream_stream(PATH)
    peers = set()
    for _ in range(4):
        found, messages = split(list(method([b"a", b"b"], metadata=None, timeout=60)))
        assert messages == [b"a", b"b"]
        peers |= set(found)
    assert len(peers) == 2
    # A fork waits for none of them.
    wait_for(lambda: not PROCESS.calls)
    endless = method(iter(lambda: b"x", b""), metadata=None)
    assert next(endless)
    assert PROCESS.calls
    channels.close()
    with pytest.raises(grpc.RpcError):
        list(endless)
    with pytest.raises(ValueError, match="closed"):
        method([], metadata=None)


def test_streams_of_tasks(settings: Settings) -> None:
    async def main() -> None:
        channels = AioChannels(settings)
        method = channels.stream_stream(PATH)
        peers = set()
        for _ in range(4):
            call = method([b"a", b"b"], metadata=None, timeout=60)
            found, messages = split([answer async for answer in call])
            assert messages == [b"a", b"b"]
            peers |= set(found)
        assert len(peers) == 2
        call = method(metadata=None)
        await call.write(b"c")
        await call.done_writing()
        assert split([await call.read()])[1] == [b"c"]
        await channels.close()

    asyncio.run(main())
