"""The channels of a client for threads: calls go round over them, and a fork gets its own."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import grpc

from mlpserve.connection.forks import PROCESS
from mlpserve.connection.hedging import HedgeBudget, call_hedged
from mlpserve.connection.opening import open_each, take_turns
from mlpserve.connection.settings import Metadata, Settings


class UnaryCall(Protocol):
    """Sends a request and returns its response.

    Raises grpc.RpcError, ForkedProcess, and ValueError when the client is closed.
    """

    def __call__(self, request: bytes, *, timeout: float, metadata: Metadata | None) -> bytes:
        """`timeout` is in seconds."""
        ...


class StreamCall(Protocol):
    """Sends requests and returns the responses as they come; raises as `UnaryCall` does."""

    def __call__(
        self, requests: Iterable[bytes], *, timeout: float | None, metadata: Metadata | None
    ) -> Any:
        """`timeout` is in seconds."""
        ...


class Channels:
    """As many channels to a server as the settings say, which connect with the first call.

    Without serializers gRPC takes and gives bytes. Each call is in `PROCESS.calls` from before it
    takes a channel until gRPC is done with it.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises OSError when a file of the TLS settings can't be read, and ForkedProcess."""
        self._settings = settings
        self._budget = HedgeBudget()
        self._inherited: list[tuple[grpc.Channel, ...]] = []
        self._is_closed = False
        self._generation = PROCESS.open(self, is_aio=False)
        self._channels = self._open()

    def unary_unary(self, path: str, *, may_wait: bool = True) -> UnaryCall:
        """Return a method; `may_wait` is whether it waits for the server if calls are to do so."""
        turns = _Turns(self, lambda channel: channel.unary_unary(path))
        waits = (may_wait and self._settings.wait_for_ready) or None
        after_seconds = self._settings.hedge_after_seconds

        def call(request: bytes, *, timeout: float, metadata: Metadata | None) -> bytes:
            calls = PROCESS.calls
            calls.append(None)
            try:
                method, _ = turns.take()
                answer: bytes = method(
                    request, timeout=timeout, metadata=metadata, wait_for_ready=waits
                )
                return answer
            finally:
                calls.pop()

        if after_seconds is None:
            return call

        def hedged(request: bytes, *, timeout: float, metadata: Metadata | None) -> bytes:
            calls = PROCESS.calls

            def start(method: Any, seconds: float) -> Any:
                attempt = method.future(
                    request, timeout=seconds, metadata=metadata, wait_for_ready=waits
                )
                # An attempt that has lost ends later than its call.
                calls.append(None)
                attempt.add_done_callback(lambda _: calls.pop())
                return attempt

            calls.append(None)
            try:
                first, second = (functools.partial(start, method) for method in turns.take())
                answer: bytes = call_hedged(first, second, after_seconds, timeout, self._budget)
                return answer
            finally:
                calls.pop()

        return hedged

    def stream_stream(self, path: str) -> StreamCall:
        """Return a method of streams, which are not hedged and hold a fork up."""
        turns = _Turns(self, lambda channel: channel.stream_stream(path))
        waits = self._settings.wait_for_ready or None

        def call(
            requests: Iterable[bytes], *, timeout: float | None, metadata: Metadata | None
        ) -> Any:
            calls = PROCESS.calls
            calls.append(None)
            has_ended = True
            try:
                method, _ = turns.take()
                stream = method(
                    iter(requests), timeout=timeout, metadata=metadata, wait_for_ready=waits
                )
                has_ended = not stream.add_callback(calls.pop)
                return stream
            finally:
                if has_ended:
                    calls.pop()

        return call

    def current(self) -> tuple[int, tuple[grpc.Channel, ...]]:
        """Return the channels of this process with its generation.

        Raises ValueError when they are closed, ForkedProcess when there can't be any.
        """
        if self._is_closed:
            raise ValueError("the client is closed; make another one")
        if self._generation != PROCESS.generation:
            generation = PROCESS.open(self, is_aio=False)
            # Kept, so that nothing ends connections that are the parent's.
            self._inherited.append(self._channels)
            self._channels, self._generation = self._open(), generation
        return self._generation, self._channels

    def close(self) -> None:
        """Close the channels of this process; calls in progress end with CANCELLED."""
        self._is_closed = True
        if self._generation == PROCESS.generation:
            for channel in self._channels:
                channel.close()

    def _open(self) -> tuple[grpc.Channel, ...]:
        return open_each(self._settings, grpc.insecure_channel, grpc.secure_channel)


class _Turns:
    """One method on each channel of a client, taken in turn, with the next one's; from any thread.

    A forked process gets new ones.
    """

    __slots__ = ("_channels", "_generation", "_make", "_next")

    def __init__(self, channels: Channels, make: Callable[[grpc.Channel], Any]) -> None:
        self._channels, self._make = channels, make
        self._renew()

    def take(self) -> tuple[Any, Any]:
        """Return the method of one channel and that of another, if there is one."""
        if PROCESS.is_forking or self._generation != PROCESS.generation:
            PROCESS.wait_for_fork()
            self._renew()
        return self._next()

    def _renew(self) -> None:
        self._generation, channels = self._channels.current()
        methods = [self._make(channel) for channel in channels]
        self._next = take_turns(methods)
