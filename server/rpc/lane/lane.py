"""The hot lane: unary methods on a completion queue of their own, which one thread drains.

The ordinary server behind the same port hands each call from thread to thread, and lets it hold one
until its message is there; here a call stays on one thread, and the queue itself shows which calls
have met. grpcio has no public way to do this, so this room alone uses its core,
`grpc._cython.cygrpc`; `versions` tells whether it is one that was tested.
"""

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from server.errors import Overloaded
from server.rpc.admission import SLOW_MESSAGE, Gate, no_message
from server.rpc.arrivals import Arrivals
from server.rpc.lane.call import Group, LaneCall, Route
from server.rpc.lane.outbox import Outbox
from server.running.calls import refuse, refuse_all

log = structlog.get_logger()

ARMED, ARMED_OTHERS = 256, 16
"""Calls of a hot method, and of any other, that the core may hand over before the lane asks for
more.
"""

JOINED_CALLS = 64
JOINED_BYTES = 2 * 1024 * 1024
JOINED_EVENTS = 512
"""Calls, bytes of their messages, and events of any kind, after which a run starts.

The first of many calls should wait neither for the last nor for refusals of a crowd, and memory
should not fill.
"""

IDLE_SECONDS = 60.0

CROWD_SECONDS = 0.004
"""How long the lane lets calls gather after it has refused some because a queue was full.

The run that the queue waits for needs the core; refusing calls one by one would take it away, and
its cache.
"""

LOOK_SECONDS, BUSY_LOOK_SECONDS, LOOK_TURNS = 0.01, 0.5, 64
"""How often the lane checks for stalled messages while calls wait for their places: when idle, when
events come without a pause (a message that seems to stall may be among them), and every how many of
these.
"""

NAP_SECONDS = 0.001
"""How long it sleeps at a time when it waits for a point in time: gRPC's own waiting goes by the
time of day, which may be set back.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the hot methods on the lane.

    `calls` in progress; `messages` arriving at the same time, each of which may need the memory of
    the largest; `delay_seconds` that a call waits for others to join it, `joined_calls` after which
    it waits no longer. `outbox` bounds the answers of any method.
    """

    calls: int
    messages: int
    delay_seconds: float
    joined_calls: int
    outbox: Outbox = field(default_factory=Outbox)


class Lane:
    """Takes the calls of some methods off a server and brings those that meet to `take`.

    Everything except `start`, `join`, `silent_seconds`, `is_alive` and `thread_id` runs on the
    lane's thread, which ends when the server has been stopped and each call has its answer.
    `max_in_progress` is the peak of hot calls in progress since it was last reset.
    """

    def __init__(
        self,
        server: grpc.Server,
        routes: Mapping[str, Route],
        take: Callable[[Sequence[LaneCall]], None],
        limits: Limits,
        refusal: Callable[[], Overloaded | None] = lambda: None,
    ) -> None:
        """Take methods, by their paths such as /SERVICE/METHOD, off a server not yet started.

        `refusal` returns why `take` could not take another hot call now; it is then refused before
        its message is read.
        """
        self._take = take
        self._refusal = refusal
        self._limits = limits
        self._outbox = limits.outbox
        self._core = server._cy_server  # type: ignore[attr-defined]
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        self._hot = Group(Gate(limits.calls, limits.messages))
        groups = {self._hot.gate: self._hot}
        self._tags: dict[str, Callable[[Any], None]] = {}
        self._to_arm: dict[str, int] = {}
        for path, route in routes.items():
            group = groups.setdefault(route.gate, Group(route.gate)) if route.gate else self._hot
            self._core.register_method(path)
            self._tags[path] = functools.partial(self._on_call, path, group, route)
            self._to_arm[path] = ARMED if group is self._hot else ARMED_OTHERS
        self._groups = list(groups.values())
        # Calls that the core may still bring.
        self._armed = 0
        self.max_in_progress = 0
        self._arrived: list[LaneCall] = []
        self._arrived_bytes = self._events = 0
        self._take_time = self._look_time = 0.0
        self._is_crowded = self._is_contended = self._was_empty = False
        # For `silent_seconds`, to see whether the thread goes on.
        self._turns = self._seen_turns = 0
        self._seen_time = 0.0
        self._is_waiting = False
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)

    def start(self) -> None:
        """Take calls; the server must have been started."""
        for path, calls in self._to_arm.items():
            for _ in range(calls):
                self._arm(path)
        self._thread.start()

    @property
    def thread_id(self) -> int:
        """The system's number of the lane's thread, which must have been started."""
        assert self._thread.native_id is not None
        return self._thread.native_id

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def silent_seconds(self) -> float:
        """Return how long it has been seen busy with one thing; for one thread that asks often."""
        now, turns = time.perf_counter(), self._turns
        if self._is_waiting or turns != self._seen_turns:
            self._seen_turns, self._seen_time = turns, now
        return now - self._seen_time

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every call has ended, after the server was stopped; returns whether they have.

        That is always so without a timeout.
        """
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        timeout = cygrpc.CompletionType.queue_timeout
        while self._armed or any(group.unsent for group in self._groups):
            event = None
            try:
                event = self._poll()
                self._turns += 1
                if event.completion_type == timeout:
                    self._on_nothing()
                    continue
                event.tag(event)
                self._events += 1
                if self._arrived and self._is_enough():
                    self._take_arrived()
                if self._is_contended and not self._turns % LOOK_TURNS:
                    self._look_after_places()
            except Exception:
                log.exception("the lane goes on after an error")
            finally:
                # An event holds its call, which the core keeps as long as somebody holds it.
                del event
        self._is_waiting = True

    def _on_nothing(self) -> None:
        """Use an idle moment."""
        self._was_empty = True
        if self._arrived:
            self._take_or_wait()
        elif self._is_crowded:
            self._is_crowded = False
            time.sleep(CROWD_SECONDS)
        elif self._is_contended:
            time.sleep(NAP_SECONDS)
        if self._is_contended:
            self._look_after_places()
        lost = self._outbox.lost
        while lost:
            lost.popleft()(None)

    def _poll(self) -> Any:
        """Return the next event, or one that says that there was none."""
        if self._arrived or self._is_crowded or self._is_stalled():
            return self._queue.poll(0.0)
        seconds = LOOK_SECONDS if self._is_contended else IDLE_SECONDS
        self._is_waiting = True
        event = self._queue.poll(time.time() + seconds)
        self._is_waiting = False
        return event

    def _take_or_wait(self) -> None:
        """Take the calls that have arrived, or sleep while more may join them."""
        remaining = self._take_time - time.perf_counter()
        if remaining > 0:
            time.sleep(min(remaining, NAP_SECONDS))
        else:
            self._take_arrived()

    def _is_stalled(self) -> bool:
        return self._is_contended and any(group.arrivals.is_stalled for group in self._groups)

    def _look_after_places(self) -> None:
        """Give the places of stalled messages to waiting calls."""
        now = time.perf_counter()
        since = now - self._look_time
        if since < (LOOK_SECONDS if self._was_empty else BUSY_LOOK_SECONDS):
            return
        self._look_time, self._was_empty = now, False
        for group in self._groups:
            for call in group.arrivals.give_up(now):
                refuse(call, SLOW_MESSAGE)
            for call in group.arrivals.overdue(now):
                call.cancel()
            self._fill(group.arrivals)
        self._is_contended = any(group.arrivals.is_contended for group in self._groups)

    def _fill(self, arrivals: Arrivals[LaneCall]) -> None:
        """Let messages arrive while places are free."""
        now = time.perf_counter()
        while (call := arrivals.next(now)) is not None:
            self._receive(call)

    def _arm(self, path: str) -> None:
        """Ask the core for one more call."""
        try:
            self._core.request_registered_call(self._queue, self._queue, path, self._tags[path])
        except ValueError:
            # The server is stopping.
            return
        self._armed += 1

    def _on_call(self, path: str, group: Group, route: Route, event: Any) -> None:
        self._armed -= 1
        if not event.success:
            return
        call = LaneCall(route, group, self._outbox, self._on_message, event)
        group.unsent += 1
        try:
            self._arm(path)
            self._admit(call)
        except Exception as error:
            log.exception("call failed")
            refuse(call, error)

    def _admit(self, call: LaneCall) -> None:
        """Let a call's message arrive, now or once it has a place, or refuse the call."""
        group = call.group
        gate = group.gate
        call.record, refusal = call.route.method.admit(call.begin, call.metadata, gate)
        if refusal is gate.too_many and (displaced := gate.arrivals.displace(call)) is not None:
            refuse(displaced, gate.too_many)
            refusal = None
        if refusal is None and group is self._hot and (refusal := self._refusal()):
            self._is_crowded = True
        if refusal is not None:
            refuse(call, refusal)
            return
        call.accepted = True
        gate.in_progress += 1
        if gate.arrivals.enter(call, call.begin):
            self._receive(call)
        else:
            self._is_contended = True

    @staticmethod
    def _receive(call: LaneCall) -> None:
        try:
            call.receive()
        except Exception as error:
            call.group.arrivals.leave(call)
            log.exception("gRPC did not accept the request for a call's message")
            refuse(call, error)

    def _on_message(self, call: LaneCall, message: bytes | None) -> None:
        """Take a call whose message has arrived, or never will."""
        arrivals = call.group.arrivals
        arrivals.leave(call)
        if arrivals.is_contended:
            self._fill(arrivals)
        if call.ended:
            return
        if message is None:
            refuse(call, no_message())
            return
        call.message = message
        answer = call.route.answer
        if answer is not None:
            answer(call)
            return
        if not self._arrived:
            delay = self._limits.delay_seconds
            self._take_time = time.perf_counter() + delay if delay else 0.0
        self._arrived.append(call)
        self._arrived_bytes += len(message)

    def _is_enough(self) -> bool:
        """Whether as many calls have arrived as may be joined."""
        return (
            len(self._arrived) >= self._limits.joined_calls
            or self._arrived_bytes >= JOINED_BYTES
            or self._events >= JOINED_EVENTS
        )

    def _take_arrived(self) -> None:
        calls, self._arrived, self._arrived_bytes, self._events = self._arrived, [], 0, 0
        if self._hot.gate.in_progress > self.max_in_progress:
            self.max_in_progress = self._hot.gate.in_progress
        try:
            self._take(calls)
        except Exception as error:
            # Nothing else would end them.
            log.exception("calls failed")
            refuse_all(calls, error)
        for call in calls:
            if not call.ended:
                call.watch()
