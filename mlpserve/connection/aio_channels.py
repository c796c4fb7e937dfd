"""The channels of a client for asyncio: calls go round over them, and end with a fork."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio

from mlpserve.connection.forks import PROCESS, REMEDY
from mlpserve.connection.hedging import HedgeBudget, HedgedCall, call_hedged_aio
from mlpserve.connection.settings import Metadata, Settings
from mlpserve.connection.turns import take_turns
from mlpserve.errors import ForkedProcess

AioUnaryMethod = Callable[..., Awaitable[bytes]]
AioStreamMethod = Callable[..., Any]


class AioChannels:
    """As `Channels`, of the event loop that runs with the first call; a fork leaves it behind."""

    def __init__(self, settings: Settings) -> None:
        """Raises as `Channels` does."""
        self._settings = settings
        self._budget = HedgeBudget()
        self._generation = PROCESS.open(self, is_aio=True)
        self._channels = [_open_channel(settings) for _ in range(settings.n_channels)]
        PROCESS.channels.update(self._channels)
        PROCESS.watch()

    def unary_unary(self, path: str, *, may_wait: bool = True) -> AioUnaryMethod:
        """Return a method, which is called as gRPC's are: see `Channels.unary_unary`. What it
        returns is to be awaited, and can be cancelled.
        """
        take = take_turns([channel.unary_unary(path) for channel in self._channels])
        waits = (may_wait and self._settings.wait_for_ready) or None
        hedge_after_seconds = self._settings.hedge_after_seconds

        def call(request: bytes, *, timeout: float, metadata: Metadata | None) -> Any:
            self.check_process()
            method, _ = take()
            return method(request, timeout=timeout, metadata=metadata, wait_for_ready=waits)

        if hedge_after_seconds is None:
            return call

        def hedged(request: bytes, *, timeout: float, metadata: Metadata | None) -> Any:
            self.check_process()
            method, another = take()
            attempts = call_hedged_aio(
                lambda seconds: method(
                    request, timeout=seconds, metadata=metadata, wait_for_ready=waits
                ),
                lambda seconds: another(
                    request, timeout=seconds, metadata=metadata, wait_for_ready=waits
                ),
                hedge_after_seconds,
                timeout,
                self._budget,
            )
            return HedgedCall(asyncio.ensure_future(attempts))

        return hedged

    def stream_stream(self, path: str) -> AioStreamMethod:
        """Return a method of streams, which are not hedged."""
        take = take_turns([channel.stream_stream(path) for channel in self._channels])
        waits = self._settings.wait_for_ready or None

        def call(
            requests: Any = None, *, metadata: Metadata | None, timeout: float | None = None
        ) -> Any:
            self.check_process()
            method, _ = take()
            return method(requests, timeout=timeout, metadata=metadata, wait_for_ready=waits)

        return call

    async def close(self) -> None:
        """Close the channels; calls in progress are cancelled."""
        if self._generation == PROCESS.generation:
            for channel in self._channels:
                await channel.close()

    def check_process(self) -> None:
        """Raise ForkedProcess when this process was forked since the channels were opened."""
        if self._generation != PROCESS.generation:
            raise ForkedProcess(
                "this client belongs to the process that this one was forked from, whose threads "
                f"it lacks; {REMEDY}"
            )


def _open_channel(settings: Settings) -> grpc.aio.Channel:
    address, options, compression = settings.address, settings.options, settings.compression
    if settings.tls is None:
        return grpc.aio.insecure_channel(address, options, compression)
    return grpc.aio.secure_channel(address, settings.tls.credentials(), options, compression)
