"""The hot lane: unary methods on a completion queue of their own, which one thread drains.

The ordinary server behind the same port hands each call from thread to thread, and lets it hold one
until its message is there; here a call stays on one thread, and the queue itself shows which calls
have met. grpcio has no public way to do this, so this file alone uses its core,
`grpc._cython.cygrpc`; `check` tells whether it is one that was tested.
"""

import contextlib
import functools
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from server.errors import Cancelled, Overloaded, RequestError, TooLarge, reason_of
from server.rpc.lane.arrivals import Arrivals
from server.rpc.status import INTERNAL_MESSAGE, status_of
from server.running.batcher import refuse
from server.running.request import Request
from server.telemetry.codes import code_name
from server.telemetry.record import Record
from server.telemetry.recording import Recorder, trailing

log = structlog.get_logger()

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

OLDEST, NEWEST = (1, 82), (1, 85)
"""The versions of grpcio, (major, minor), between which the tests have passed."""

ARMED = 256
"""Calls of a hot method that the core may hand over before the lane asks for more."""

ARMED_OTHERS = 16
"""The same of any other method."""

JOINED_CALLS = 64
JOINED_BYTES = 2 * 1024 * 1024
JOINED_EVENTS = 512
"""Calls, bytes of their messages, and events of any kind after which no more are waited for.

The first of many should not wait for the last, nor for a crowd that is turned away, and memory
should not fill.
"""

IDLE_SECONDS = 60.0

CROWD_SECONDS = 0.004
"""How long the lane lets calls gather after it has turned some away since a queue was full.

The run that the queue waits for needs the core, and each refusal by itself would take it away, and
its cache.
"""

ARRIVAL_SECONDS = 2.0
"""How long a message may take to arrive while others wait for its place."""

LOOK_SECONDS = 0.01
"""How often the lane looks at the messages that arrive while calls wait for their places."""

BUSY_LOOK_SECONDS = 0.5
"""The same while there are events without a pause: a message may be among them that seems to stall.
"""

LARGE_RESPONSE_BYTES = 64 * 1024
"""Answers from which on their bytes are counted until their callers have read them."""

LOOK_TURNS = 64
"""And after how many events, when these come without a pause."""

NAP_SECONDS = 0.001
"""How long it sleeps at a time where it waits for a moment, not for an event: gRPC counts its
waiting by the time of day, which may be set back.
"""


class Counted(Protocol):
    """Where a method's calls are counted; see `series.Calls`."""

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        ...

    def end(self, begin: float, code: str, received: int, sent: int, /) -> float:
        """Count a call that has ended, and its messages; returns its seconds."""
        ...


Guard: TypeAlias = Callable[[Metadata], RequestError | None]
Read: TypeAlias = Callable[[bytes, bool], tuple[Request, memoryview]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the calls of some methods may have at once: `calls` in progress, and `messages` that
    arrive, each of which may take `patience_seconds` while others wait for its place.
    """

    name: str
    calls: int
    messages: int
    patience_seconds: float = ARRIVAL_SECONDS


@dataclass(frozen=True, slots=True)
class Method:
    """A method: where its calls are counted, and what becomes of them with their messages.

    A hot one has `read`, which reads them; those that meet are taken together. Any other has
    `answer`, which ends each call, from any thread, and `bounds`, which it shares with those that
    have the same. `recorder` writes some calls down; `guard` finds fault with the metadata of those
    that are not to be answered.
    """

    calls: Counted
    recorder: Recorder
    read: Read | None = None
    answer: "Callable[[Call], None] | None" = None
    bounds: Bounds | None = None
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the lane takes at once of the hot methods.

    `calls` in progress; `messages` arriving at the same time, each of which may need the memory of
    the largest; `delay_seconds` that a call waits for others to join it, `joined_calls` after which
    it waits no longer. `response_bytes` is what an answer of any method may have, `unread_bytes`
    what large ones may have together that their callers have not read.
    """

    calls: int
    messages: int
    delay_seconds: float
    joined_calls: int
    response_bytes: int = 2**31 - 1
    unread_bytes: int = 2**31 - 1


def check(version: str) -> str | None:
    """Return why the lane can't be used with this version of grpcio; None when it can."""
    # What follows may be anything, such as the dev0 of 1.86.dev0.
    release = re.match(r"(\d+)\.(\d+)(?!\d)", version)
    if release and OLDEST <= (int(release[1]), int(release[2])) <= NEWEST:
        return None
    oldest, newest = (".".join(map(str, tested)) for tested in (OLDEST, NEWEST))
    return f"grpcio is {version}, and the lane was tested with {oldest} to {newest}"


# Operations that are the same for all answers. They hold no memory, so that calls may share them.
_NO_METADATA = cygrpc.SendInitialMetadataOperation((), 0)
_OK = cygrpc.SendStatusFromServerOperation((), 0, b"", 0)
_INTERNAL = cygrpc.SendStatusFromServerOperation(
    (), grpc.StatusCode.INTERNAL.value[0], INTERNAL_MESSAGE.encode(), 0
)


class Group:
    """The calls that share bounds: those in progress, and those whose messages have yet to come."""

    __slots__ = ("arrivals", "calls", "in_progress", "too_many", "unsent")

    def __init__(self, bounds: Bounds) -> None:
        self.calls = bounds.calls
        self.arrivals = Arrivals[Call](bounds.messages, bounds.patience_seconds)
        # Those that have been accepted, and all that have yet to be told how they end.
        self.in_progress = self.unsent = 0
        self.too_many = Overloaded(
            "too_many_calls",
            f"{bounds.calls} calls are in progress, as many as the server takes; come back later",
        )

    def on_sent(self, _event: Any) -> None:
        """Take note that a call's answer has left, or that nobody was there to take it."""
        self.in_progress -= 1
        self.unsent -= 1

    def on_refused(self, _event: Any) -> None:
        """Take note that a call which was turned away has been told so."""
        self.unsent -= 1


class Call:
    """One call on the lane, from its arrival until its answer is sent; see `batching.Call`.

    `metadata` are the caller's pairs of key and value, `accepted` tells whether it counts among the
    calls in progress, `ended` whether it has its answer.
    """

    __slots__ = (
        "_core",
        "_lane",
        "_message_came",
        "_method",
        "_peer",
        "accepted",
        "begin",
        "cancelled",
        "deadline",
        "ended",
        "group",
        "held_bytes",
        "message",
        "metadata",
        "pixels",
        "read",
        "record",
        "request",
        "size",
        "waiting_since",
    )

    read: Read
    request: Request
    pixels: memoryview
    size: int
    held_bytes: int
    waiting_since: float

    def __init__(self, lane: "Lane", group: Group, method: Method, event: Any) -> None:
        self.begin = begin = method.calls.start()
        self.metadata: Metadata = event.invocation_metadata
        self.record: Record | None = None
        # From now on by a clock that nobody sets.
        self.deadline: float = event.call_details.deadline - time.time() + begin
        self.message = b""
        self.cancelled = False
        self.accepted = False
        self.ended = False
        self.group = group
        self.read = method.read  # type: ignore[assignment]  # others than hot ones are not read
        self._core = event.call
        self._lane = lane
        self._message_came = False
        self._method = method
        self._peer = ""

    @property
    def peer(self) -> str:
        """The caller's address, such as ipv4:127.0.0.1:40000: it stands for the connection."""
        if not self._peer:
            self._peer = str(self._core.peer(), "utf-8", "replace")
        return self._peer

    def admit(self) -> RequestError | None:
        """Note who calls, if that is to be noted; returns why the call must not be answered."""
        method = self._method
        self.record = method.recorder.begin(self.begin, self.metadata)
        return None if method.guard is None else method.guard(self.metadata)

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        if self.ended:
            return
        lane, method, record = self._lane, self._method, self.record
        if len(response) > lane.response_bytes:
            refuse(self, too_large(len(response), lane.response_bytes))
            return
        is_large = len(response) > LARGE_RESPONSE_BYTES
        if is_large and not lane.hold(len(response)):
            refuse(self, UNREAD_ANSWERS)
            return
        ending = _OK
        if record is not None:
            ending = cygrpc.SendStatusFromServerOperation(trailing(record), 0, b"", 0)
        operations = (_NO_METADATA, cygrpc.SendMessageOperation(response, 0), ending)
        self.ended = True
        # Counted before it is sent, so that whoever has the answer finds it counted.
        seconds = method.calls.end(self.begin, "OK", 1, 1)
        self._send(operations, len(response) if is_large else 0)
        # Written afterwards, since nobody should wait for it.
        if record is not None:
            method.recorder.end(record, grpc.StatusCode.OK, self.begin, seconds)

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        if self.ended:
            return
        method, record = self._method, self.record
        code, operations = _refusing(error, record)
        self.ended = True
        seconds = method.calls.end(self.begin, code_name(code), 1 if self._message_came else 0, 0)
        self._send(operations)
        method.recorder.end(record, code, self.begin, seconds, reason_of(error))

    def _send(self, operations: tuple[Any, ...], held_bytes: int = 0) -> None:
        """Give the core what ends the call, with an answer of which so many bytes are counted."""
        group = self.group
        tag: Callable[[Any], None] = group.on_sent if self.accepted else group.on_refused
        if held_bytes:
            tag = functools.partial(self._lane.on_large_sent, held_bytes, tag)
        try:
            self._core.start_server_batch(operations, tag)
        except Exception:
            log.exception("gRPC did not take an answer")
            # Its caller learns that there will be none.
            with contextlib.suppress(Exception):
                self._core.cancel(grpc.StatusCode.INTERNAL.value[0], INTERNAL_MESSAGE)
            self._lane.lost.append(tag)

    def receive(self) -> None:
        """Ask for the message, which arrives at the lane."""
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(0),), self._on_message)

    def watch(self) -> None:
        """Ask to be told when the caller leaves."""
        self._core.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(0),), self._on_close)

    def _on_message(self, event: Any) -> None:
        message = event.batch_operations[0].message()
        arrivals = self.group.arrivals
        arrivals.leave(self)
        if arrivals.is_contended:
            self._lane.fill(arrivals)
        if message is not None and not self.ended:
            self._message_came = True
            self.message = message
            answer = self._method.answer
            if answer is None:
                self._lane.on_message(self)
            else:
                answer(self)
        elif not self.ended:
            refuse(self, Cancelled("no_message", "the call ended before its message was there"))

    def _on_close(self, event: Any) -> None:
        self.cancelled = event.batch_operations[0].cancelled()


def _refusing(error: Exception, record: Record | None) -> tuple[grpc.StatusCode, tuple[Any, ...]]:
    """Return the code of an error, and the operations that end a call with it."""
    try:
        status = status_of(error)
        told: Metadata = status.trailing_metadata
        if record is not None:
            told += trailing(record)
        ending = cygrpc.SendStatusFromServerOperation(
            told, status.code.value[0], status.details.encode(), 0
        )
    except Exception:
        log.exception("an error can't be told")
        return grpc.StatusCode.INTERNAL, (_NO_METADATA, _INTERNAL)
    return status.code, (_NO_METADATA, ending)


def too_large(size: int, limit: int) -> TooLarge:
    """Return why an answer of so many bytes is not sent."""
    return TooLarge(
        "answer_bytes",
        f"the answer has {size} bytes, more than max_message_bytes, {limit}; ask for less in one "
        "call, or raise the server's --max-message-bytes",
    )


class Lane:
    """Takes the calls of some methods off a server and brings those that meet to `take`.

    Everything except `start`, `join`, `lost`, `silent_seconds`, `is_alive` and `thread_id` happens
    on the lane's thread, which ends when the server has been stopped and each call has its answer.
    `most_in_progress` is the peak of hot calls in progress since it was last reset.
    """

    def __init__(
        self,
        server: grpc.Server,
        methods: Mapping[str, Method],
        take: Callable[[Sequence[Call]], None],
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
        self.response_bytes = limits.response_bytes
        self._core = server._cy_server  # type: ignore[attr-defined]
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        hot = Bounds("hot", limits.calls, limits.messages)
        self._hot = Group(hot)
        self._groups = {hot: self._hot}
        self._tags: dict[str, Callable[[Any], None]] = {}
        self._armed_each: dict[str, int] = {}
        for path, method in methods.items():
            bounds = method.bounds or hot
            group = self._groups.setdefault(bounds, Group(bounds))
            self._core.register_method(path)
            self._tags[path] = functools.partial(self._on_call, path, group, method)
            self._armed_each[path] = ARMED if group is self._hot else ARMED_OTHERS
        # Calls that the core may still bring.
        self._armed = 0
        self.most_in_progress = 0
        # The tags of calls whose end the core has not taken, and so won't bring.
        self.lost: deque[Callable[[Any], None]] = deque()
        self._arrived: list[Call] = []
        self._arrived_bytes = self._events = 0
        self._take_time = self._look_time = 0.0
        self._is_crowded = self._is_contended = self._was_empty = False
        self._unread_bytes = 0
        self._unread_lock = threading.Lock()
        # By these `silent_seconds` tells whether the thread goes on.
        self._turns = self._seen_turns = 0
        self._seen_time = 0.0
        self._is_waiting = False
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)

    def start(self) -> None:
        """Take calls; the server must have been started."""
        for path, calls in self._armed_each.items():
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

    def hold(self, size: int) -> bool:
        """Count the bytes of an answer that is to be sent; returns whether there is room for it."""
        with self._unread_lock:
            fits = not self._unread_bytes or self._unread_bytes + size <= self._limits.unread_bytes
            self._unread_bytes += size if fits else 0
        return fits

    def on_large_sent(self, size: int, tag: Callable[[Any], None], event: Any) -> None:
        """Take note that an answer has left whose bytes were counted."""
        with self._unread_lock:
            self._unread_bytes -= size
        tag(event)

    def on_message(self, call: Call) -> None:
        """Take a hot call whose message is there."""
        if not self._arrived:
            delay = self._limits.delay_seconds
            self._take_time = time.perf_counter() + delay if delay else 0.0
        self._arrived.append(call)
        self._arrived_bytes += len(call.message)

    def _run(self) -> None:
        timeout = cygrpc.CompletionType.queue_timeout
        while self._armed or any(group.unsent for group in self._groups.values()):
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
        """Do what waits for a moment in which nothing else happens."""
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
        while self.lost:
            self.lost.popleft()(None)

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
        return self._is_contended and any(g.arrivals.is_stalled for g in self._groups.values())

    def _look_after_places(self) -> None:
        """Give the places of stalled messages to calls that wait for one."""
        now = time.perf_counter()
        since = now - self._look_time
        if since < (LOOK_SECONDS if self._was_empty else BUSY_LOOK_SECONDS):
            return
        self._look_time, self._was_empty = now, False
        for group in self._groups.values():
            for call in group.arrivals.give_up(now):
                refuse(call, SLOW_MESSAGE)
            self.fill(group.arrivals)
        self._is_contended = any(g.arrivals.is_contended for g in self._groups.values())

    def fill(self, arrivals: Arrivals[Call]) -> None:
        """Let messages arrive for which places are free."""
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

    def _on_call(self, path: str, group: Group, method: Method, event: Any) -> None:
        self._armed -= 1
        if not event.success:
            return
        call = Call(self, group, method, event)
        group.unsent += 1
        try:
            self._arm(path)
            self._admit(call)
        except Exception as error:
            log.exception("call failed")
            refuse(call, error)

    def _admit(self, call: Call) -> None:
        """Let a call's message come, now or when it has a place, or refuse the call."""
        group = call.group
        refusal = call.admit()
        if refusal is None and group.in_progress >= group.calls:
            displaced = group.arrivals.displace(call)
            if displaced is None:
                refusal = group.too_many
            else:
                refuse(displaced, group.too_many)
        if refusal is None and group is self._hot and (refusal := self._refusal()):
            self._is_crowded = True
        if refusal is not None:
            refuse(call, refusal)
            return
        call.accepted = True
        group.in_progress += 1
        if group.arrivals.enter(call, call.begin):
            self._receive(call)
        else:
            self._is_contended = True

    @staticmethod
    def _receive(call: Call) -> None:
        try:
            call.receive()
        except Exception as error:
            call.group.arrivals.leave(call)
            log.exception("gRPC did not take a call's request for its message")
            refuse(call, error)

    def _is_enough(self) -> bool:
        """Whether as many calls have arrived as may be joined."""
        return (
            len(self._arrived) >= self._limits.joined_calls
            or self._arrived_bytes >= JOINED_BYTES
            or self._events >= JOINED_EVENTS
        )

    def _take_arrived(self) -> None:
        calls, self._arrived, self._arrived_bytes, self._events = self._arrived, [], 0, 0
        if self._hot.in_progress > self.most_in_progress:
            self.most_in_progress = self._hot.in_progress
        try:
            self._take(calls)
        except Exception as error:
            # Nobody else would end them.
            log.exception("calls failed")
            for call in calls:
                refuse(call, error)
        for call in calls:
            if not call.ended:
                call.watch()


UNREAD_ANSWERS = Overloaded(
    "unread_answers",
    "as many bytes of answers wait for their callers as the server keeps; read answers as "
    "they come, or come back later",
)
SLOW_MESSAGE = Overloaded(
    "slow_message",
    f"the message took too long to arrive, up to {ARRIVAL_SECONDS:g} s, while other calls waited "
    "for its place; come back later",
)
