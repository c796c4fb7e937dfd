"""The channels of a client for threads: calls go round over them, and a fork gets its own."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from mlpserve.connection.forks import PROCESS
from mlpserve.connection.hedging import HedgeBudget, call_hedged
from mlpserve.connection.settings import Metadata, Settings
from mlpserve.connection.turns import take_turns
from mlpserve.timing import Timing, asking, read_timing


def open_channel(settings: Settings) -> grpc.Channel:
    """Return a channel of gRPC's, which connects with the first call; raises OSError when a file of
    its TLS settings can't be read.
    """
    address, options, compression = settings.address, settings.options, settings.compression
    if settings.tls is None:
        return grpc.insecure_channel(address, options, compression)
    return grpc.secure_channel(address, settings.tls.credentials(), options, compression)


class Channels:
    """As many channels to a server as the settings say, which connect with the first call.

    Without serializers gRPC takes and gives bytes. Each call is in `PROCESS.calls` from before it
    takes a channel until gRPC is done with it.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises OSError when a file of the TLS settings can't be read, and ForkedProcess."""
        self._settings = settings
        self._budget = HedgeBudget()
        self._is_closed = False
        # By generation. A parent's are kept, so that nothing ends connections that are its own.
        self._opened = {PROCESS.open(self, is_aio=False): self._open()}
        PROCESS.watch()

    def unary_unary(self, path: str, *, may_wait: bool = True) -> "UnaryMethod":
        """Return a method; `may_wait` is whether it waits for the server if calls are to do so."""
        waits = may_wait and self._settings.wait_for_ready
        hedge_after_seconds = self._settings.hedge_after_seconds
        turns = _Turns(self, lambda channel: channel.unary_unary(path))
        return UnaryMethod(turns, waits, hedge_after_seconds, self._budget)

    def stream_stream(self, path: str) -> "StreamMethod":
        """Return a method of streams, which are not hedged and hold up a fork."""
        turns = _Turns(self, lambda channel: channel.stream_stream(path))
        return StreamMethod(turns, self._settings.wait_for_ready)

    def current(self) -> tuple[int, tuple[grpc.Channel, ...]]:
        """Return the channels of this process with its generation.

        Raises ValueError when they are closed, ForkedProcess when there can't be any.
        """
        if self._is_closed:
            raise ValueError("the client is closed; make another one")
        generation = PROCESS.generation
        if generation not in self._opened:
            PROCESS.open(self, is_aio=False)
            # Another thread may be as far.
            self._opened.setdefault(generation, self._open())
        return generation, self._opened[generation]

    def close(self) -> None:
        """Close the channels of this process; calls in progress end with CANCELLED."""
        self._is_closed = True
        for channel in self._opened.get(PROCESS.generation, ()):
            channel.close()

    def _open(self) -> tuple[grpc.Channel, ...]:
        channels = tuple(open_channel(self._settings) for _ in range(self._settings.n_channels))
        PROCESS.channels.update(channels)
        return channels


class UnaryMethod:
    """A method that is called as gRPC's are: it takes a request and returns its response.

    Calls raise grpc.RpcError, ForkedProcess, and ValueError when the client is closed.
    """

    __slots__ = ("_budget", "_hedge_after_seconds", "_turns", "_waits")

    def __init__(
        self,
        turns: "_Turns",
        waits: bool,
        hedge_after_seconds: float | None,
        budget: HedgeBudget,
    ) -> None:
        self._turns, self._waits = turns, waits or None
        self._hedge_after_seconds, self._budget = hedge_after_seconds, budget

    def __call__(self, request: bytes, *, timeout: float, metadata: Metadata | None) -> bytes:
        """Return the response; `timeout` is in seconds."""
        calls = PROCESS.calls
        calls.append(None)
        try:
            method, another = self._turns.take()
            answer: bytes
            if self._hedge_after_seconds is not None:
                answer = self._call_hedged(method, another, request, timeout, metadata).result()
                return answer
            answer = method(request, timeout=timeout, metadata=metadata, wait_for_ready=self._waits)
            return answer
        finally:
            calls.pop()

    def timed(
        self, request: bytes, *, timeout: float, metadata: Metadata | None
    ) -> tuple[bytes, Timing | None]:
        """Return the response, and what the server tells of the call's time."""
        calls = PROCESS.calls
        calls.append(None)
        try:
            method, another = self._turns.take()
            metadata = asking(metadata)
            if self._hedge_after_seconds is not None:
                call = self._call_hedged(method, another, request, timeout, metadata)
                answer = call.result()
            else:
                answer, call = method.with_call(
                    request, timeout=timeout, metadata=metadata, wait_for_ready=self._waits
                )
            return answer, read_timing(call.trailing_metadata())
        finally:
            calls.pop()

    def _call_hedged(
        self, method: Any, another: Any, request: bytes, timeout: float, metadata: Metadata | None
    ) -> Any:
        """Return the attempt that brought the answer."""
        assert self._hedge_after_seconds is not None
        return call_hedged(
            lambda seconds: self._begin(method, request, seconds, metadata),
            lambda seconds: self._begin(another, request, seconds, metadata),
            self._hedge_after_seconds,
            timeout,
            self._budget,
        )

    def future(self, request: bytes, *, timeout: float, metadata: Metadata | None) -> Any:
        """Begin a call, which is not hedged, and return gRPC's future of it."""
        calls = PROCESS.calls
        calls.append(None)
        try:
            method, _ = self._turns.take()
            return self._begin(method, request, timeout, metadata)
        finally:
            calls.pop()

    def next_future(self, request: bytes, *, timeout: float, metadata: Metadata | None) -> Any:
        """As `future`, without waiting for a fork: for gRPC's own thread, which ends the calls that
        the fork waits for.
        """
        calls = PROCESS.calls
        calls.append(None)
        try:
            method, _ = self._turns.take(may_wait=False)
            return self._begin(method, request, timeout, metadata)
        finally:
            calls.pop()

    def _begin(self, method: Any, request: bytes, timeout: float, metadata: Metadata | None) -> Any:
        call = method.future(
            request, timeout=timeout, metadata=metadata, wait_for_ready=self._waits
        )
        # Until it ends, which may be after its waiter has left.
        calls = PROCESS.calls
        calls.append(None)
        call.add_done_callback(lambda _: calls.pop())
        return call


class StreamMethod:
    """As `UnaryMethod`, of streams: it takes requests and returns the responses as they come."""

    __slots__ = ("_turns", "_waits")

    def __init__(self, turns: "_Turns", waits: bool) -> None:
        self._turns, self._waits = turns, waits or None

    def __call__(
        self, requests: Iterable[bytes], *, metadata: Metadata | None, timeout: float | None = None
    ) -> Any:
        """Return gRPC's iterator; `timeout` is in seconds."""
        calls = PROCESS.calls
        calls.append(None)
        has_ended = True
        try:
            method, _ = self._turns.take()
            stream = method(
                iter(requests), timeout=timeout, metadata=metadata, wait_for_ready=self._waits
            )
            has_ended = not stream.add_callback(calls.pop)
            return stream
        finally:
            if has_ended:
                calls.pop()


class _Turns:
    """One method on each channel of a client, taken in turn, with the next one's; from any thread.

    A forked process gets new ones.
    """

    __slots__ = ("_channels", "_generation", "_make", "_next")

    def __init__(self, channels: Channels, make: Callable[[grpc.Channel], Any]) -> None:
        self._channels, self._make = channels, make
        self._renew()

    def take(self, *, may_wait: bool = True) -> tuple[Any, Any]:
        """Return the method of one channel and that of another, if there is one; when a fork is
        going on, after it if the thread may wait.
        """
        if PROCESS.is_forking and may_wait:
            PROCESS.wait_for_fork()
        if self._generation != PROCESS.generation:
            self._renew()
        return self._next()

    def _renew(self) -> None:
        self._generation, channels = self._channels.current()
        methods = [self._make(channel) for channel in channels]
        self._next = take_turns(methods)
