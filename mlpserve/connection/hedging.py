"""Second attempts at calls that are late, where the first good answer wins.

gRPC's service config knows a hedgingPolicy, but the core that grpcio is made of ignores it.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import grpc

HEDGE_SHARE, MAX_HEDGES = 0.1, 10.0
"""Second attempts per call, on average, and how many may be saved up for a burst."""

# After these another connection, perhaps to another server, can still do better.
_HOPEFUL = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)

Start = Callable[[float], Any]
"""Begins an attempt that may take this many seconds."""


class HedgeBudget:
    """Bounds second attempts, so that a server that is slow with all calls gets few more of them.

    May be used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = MAX_HEDGES

    def earn(self) -> None:
        """Count a call."""
        with self._lock:
            self._tokens = min(self._tokens + HEDGE_SHARE, MAX_HEDGES)

    def spend(self) -> bool:
        """Return whether a second attempt may be made, and count it."""
        with self._lock:
            may = self._tokens >= 1
            self._tokens -= may
            return may


def call_hedged(
    first: Start, second: Start, after_seconds: float, timeout_seconds: float, budget: HedgeBudget
) -> Any:
    """Return the one of two attempts that brought the first good answer, where the second begins
    when the first has not ended after some time; raises grpc.RpcError. Attempts are gRPC's futures.
    """
    end = time.monotonic() + timeout_seconds
    budget.earn()
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    attempts = [first(timeout_seconds)]
    try:
        attempts[0].add_done_callback(ended.put)
        try:
            found = ended.get(timeout=after_seconds)
        except queue.Empty:
            if (remaining := end - time.monotonic()) > 0 and budget.spend():
                attempts.append(second(remaining))
                attempts[1].add_done_callback(ended.put)
            found = ended.get()
        if len(attempts) > 1 and found.code() in _HOPEFUL:
            other = ended.get()
            found = other if other.code() is grpc.StatusCode.OK else found
        found.result()
        return found
    finally:
        for attempt in attempts:
            attempt.cancel()


async def call_hedged_aio(
    first: Start, second: Start, after_seconds: float, timeout_seconds: float, budget: HedgeBudget
) -> Any:
    """Return what `call_hedged` does. Attempts are gRPC's calls for asyncio; when the task is
    cancelled, so are they.
    """
    end = time.monotonic() + timeout_seconds
    budget.earn()
    attempts = [asyncio.ensure_future(_outcome(first(timeout_seconds)))]
    try:
        ended, _ = await asyncio.wait(attempts, timeout=after_seconds)
        if not ended and (remaining := end - time.monotonic()) > 0 and budget.spend():
            attempts.append(asyncio.ensure_future(_outcome(second(remaining))))
        ended, waiting = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
        outcomes = [attempt.result() for attempt in ended]
        if waiting and all(error and error.code() in _HOPEFUL for _, error in outcomes):
            outcomes.append(await waiting.pop())
        for call, error in outcomes:
            if error is None:
                return call
        raise outcomes[0][1]
    finally:
        for attempt in attempts:
            attempt.cancel()


class HedgedCall:
    """Two attempts, from a task of `call_hedged_aio`, as one of gRPC's calls for asyncio."""

    def __init__(self, winner: "asyncio.Task[Any]") -> None:
        self._winner = winner

    def __await__(self) -> Generator[Any, Any, bytes]:
        """Return the answer, once it is there."""
        call = yield from self._winner.__await__()
        answer: bytes = yield from call.__await__()
        return answer

    async def trailing_metadata(self) -> Any:
        """Return what came with the answer."""
        return await (await self._winner).trailing_metadata()

    def done(self) -> bool:
        """Return whether there is an answer, or an error."""
        return self._winner.done()

    def cancel(self) -> bool:
        """End the attempts."""
        return self._winner.cancel()


async def _outcome(call: Any) -> tuple[Any, Any]:
    """Return a call that has its answer, or its error, which must then be retrieved."""
    try:
        await call
        return call, None
    except grpc.RpcError as error:
        return None, error
