"""Threads that wait for messages: who gets one, who gives one back, and that all come back."""

import threading
import traceback
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.waiting import wait_for
from server.errors import RequestError
from server.rpc import arrivals
from server.rpc.threads import inside, pools
from server.rpc.threads.pools import GivenUp, Pool


class Caller:
    """A call, as grpcio hands it to a pool: its message comes when the test says so."""

    def __init__(self, pool: Pool, peer: str) -> None:
        self.pool, self.name = pool, peer
        self.call_details = None
        self.call = SimpleNamespace(peer=lambda: peer.encode())
        self.begun, self.arrived = threading.Event(), threading.Event()
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self.outcome: Any = None
        pool.submit(self._serve, self)

    def peer(self) -> str:
        return self.name

    def cancel(self) -> None:
        self.cancelled.set()

    def _serve(self, _: Any) -> None:
        try:
            self.outcome = self.pool.receive(self._messages(), self)  # type: ignore[arg-type]
        except (GivenUp, RequestError) as error:
            self.outcome = error
        self.ended.set()

    def _messages(self) -> Iterator[bytes]:
        self.begun.set()
        self.arrived.wait()
        yield b"message"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are ended as `inside.end` does it, and nobody waits long for that."""
    monkeypatch.setattr(inside, "end", lambda context, _status: context.arrived.set())
    monkeypatch.setattr(pools, "STALL_SECONDS", 0.01)
    monkeypatch.setattr(pools, "LOOK_SECONDS", 0.01)


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    made: list[Pool] = []

    def make(**arguments: Any) -> Pool:
        made.append(
            Pool("test", **{"threads": 2, "calls": 100, "patience_seconds": 0.1} | arguments)
        )
        return made[-1]

    yield make
    for one in made:
        one.shutdown(wait=False)


def finish(*callers: Caller) -> None:
    """Let all messages come; fails unless every call then ends and its place is free."""
    for caller in callers:
        caller.arrived.set()
    for caller in callers:
        assert caller.ended.wait(60)
    pool = callers[0].pool
    gate = pool.gate
    wait_for(lambda: not (gate.in_progress or pool._busy or pool._reading))
    assert not gate.arrivals._arriving
    wait_for(lambda: not gate.arrivals.ending)
    assert not gate.arrivals.is_contended


def test_calls_are_served_in_turn(pool: Callable[..., Pool]) -> None:
    callers = [Caller(pool(threads=1, spare=0, patience_seconds=1000), "a")]
    callers += [Caller(callers[0].pool, "a") for _ in range(9)]
    finish(*callers)
    assert [caller.outcome for caller in callers] == [b"message"] * 10


def test_calls_are_counted(pool: Callable[..., Pool]) -> None:
    small = pool(calls=3, patience_seconds=1000)
    seen = []
    callers = []
    for _ in range(3):
        seen.append(small.gate.in_progress)
        callers.append(Caller(small, "a"))
    seen.append(small.gate.in_progress)
    finish(*callers)
    assert [*seen, small.gate.in_progress] == [0, 1, 2, 3, 0]


def test_a_call_that_is_finished_counts_no_more(pool: Callable[..., Pool]) -> None:
    one, finished, go_on = pool(calls=1), threading.Event(), threading.Event()

    def serve() -> None:
        one.finish()
        one.finish()
        finished.set()
        go_on.wait()

    one.submit(serve)
    assert finished.wait(60)
    assert one.gate.in_progress == 0, "although its thread goes on"
    go_on.set()
    wait_for(lambda: not one._busy)
    assert one.gate.in_progress == 0, "nor once more"
    # A thread of another's.
    one.finish()
    assert one.gate.in_progress == 0


def test_spare_threads_stand_in_for_those_that_wait(pool: Callable[..., Pool]) -> None:
    stalled = [Caller(pool(spare=4), "a") for _ in range(1)]
    stalled += [Caller(stalled[0].pool, "a") for _ in range(1)]
    other = Caller(stalled[0].pool, "b")
    assert other.begun.wait(60)
    finish(other, *stalled)
    assert other.outcome == b"message"


def test_no_connection_holds_all_places(pool: Callable[..., Pool]) -> None:
    one = pool(spare=4, patience_seconds=1000)
    stalled = [Caller(one, "greedy") for _ in range(50)]
    other = Caller(one, "other")
    assert other.begun.wait(60)
    finish(other, *stalled)


def test_stalled_calls_are_given_up_while_others_wait(pool: Callable[..., Pool]) -> None:
    one = pool(threads=1, spare=0)
    stalled, other = Caller(one, "a"), Caller(one, "b")
    assert other.begun.wait(60)
    assert isinstance(stalled.outcome, GivenUp)
    assert stalled.outcome.error.reason == "slow_message"
    finish(other, stalled)
    assert other.outcome == b"message"


def test_nobody_is_given_up_while_nobody_waits(pool: Callable[..., Pool]) -> None:
    slow = Caller(pool(patience_seconds=0.0), "a")
    assert not slow.ended.is_set()
    finish(slow)
    assert slow.outcome == b"message"


def test_call_of_the_greediest_makes_room(pool: Callable[..., Pool]) -> None:
    one = pool(threads=2, spare=0, calls=10, patience_seconds=1000)
    callers = [Caller(one, "greedy") for _ in range(10)]
    one.make_room("greedy")

    def are_displaced() -> bool:
        # Until its messages have stalled, connections are not told apart.
        one.make_room("other")
        return any(caller.ended.is_set() for caller in callers)

    wait_for(are_displaced)
    outcomes = {caller.outcome for caller in callers if caller.ended.is_set()}
    assert outcomes == {one.gate.too_many}
    finish(*callers)


def test_idlest_stream_of_the_greediest_makes_room(
    pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "ARRIVAL_SECONDS", 0.0)
    streams = pool(threads=4, calls=4, spare=0)
    callers = [Caller(streams, peer) for peer in ("greedy", "greedy", "greedy", "modest")]
    for caller in callers:
        assert caller.begun.wait(60)
    streams.make_room("greedy")
    assert not any(caller.ended.is_set() for caller in callers)
    streams.make_room("other")
    wait_for(lambda: any(caller.ended.is_set() for caller in callers))
    # No connection has more than half now.
    streams.make_room("other")
    outcomes = [caller.outcome for caller in callers if caller.outcome is not None]
    assert [outcome.error.reason for outcome in outcomes] == ["idle_stream"]
    finish(*callers)


def test_work_that_raises_gives_its_place_back(pool: Callable[..., Pool]) -> None:
    one = pool(threads=1, spare=0)

    def fail(_: Any) -> None:
        raise SystemExit

    one.submit(fail, None)
    finish(Caller(one, "a"))


def test_a_pool_that_grpcio_does_not_take_hands_messages_on(pool: Callable[..., Pool]) -> None:
    assert pool().receive(iter([b"a"]), None) == b"a"  # type: ignore[arg-type]
    assert pool().receive(iter([]), None) is None  # type: ignore[arg-type]


def test_a_call_that_is_given_up_as_its_message_arrives_keeps_none(
    pool: Callable[..., Pool],
) -> None:
    one = pool(threads=1, spare=0)
    stalled, other = Caller(one, "a"), Caller(one, "b")
    assert stalled.ended.wait(60)
    finish(other)
    assert isinstance(stalled.outcome, GivenUp)
    frames = [frame for frame, _ in traceback.walk_tb(stalled.outcome.__traceback__)]
    assert len(frames) > 1
    # What they hold is there as long as the error.
    assert b"message" not in [value for frame in frames for value in frame.f_locals.values()]


def test_a_message_that_is_still_there_keeps_its_place(
    pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    there: set[Any] = set()
    monkeypatch.setattr(inside, "let_go", lambda context: context in there)
    monkeypatch.setattr(arrivals, "END_SECONDS", 0.0)
    one = pool(threads=1, spare=0)
    stalled = Caller(one, "a")
    there.add(stalled)
    assert stalled.begun.wait(60)
    # Its thread is free, and one message more than there are places may be there.
    second = Caller(one, "b")
    there.add(second)
    assert second.begun.wait(60)
    third = Caller(one, "c")
    # In case the first one does not end by itself.
    assert stalled.cancelled.wait(60)
    assert second.cancelled.wait(60)
    assert isinstance(second.outcome, GivenUp)
    assert not third.begun.is_set()
    there.clear()
    assert third.begun.wait(60)
    finish(third)
