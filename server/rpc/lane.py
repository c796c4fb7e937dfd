"""The hot lane: unary methods on a completion queue of their own, which one thread drains.

The ordinary server behind the same port hands each call from thread to thread; here a call stays on
one, and the queue itself shows which calls have met. grpcio has no public way to do this, so this
file alone uses its core, `grpc._cython.cygrpc`; `check` tells whether it is one that was tested.
"""

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from server.batching import refuse
from server.errors import Cancelled, Overloaded, RequestError, reason_of
from server.record import Record
from server.request import Request
from server.rpc.recording import Recorder, trailing
from server.rpc.status import spell, status_of

log = structlog.get_logger()

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

OLDEST, NEWEST = (1, 82), (1, 85)
"""The versions of grpcio, (major, minor), between which the tests have passed."""

ARMED = 256
"""Calls of a method that the core may hand over before the lane asks for more."""

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


class Counted(Protocol):
    """Where a method's calls are counted; see `series.Calls`."""

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        ...

    def end(self, begin: float, code: str, received: int, sent: int, /) -> float:
        """Count a call that has ended, and its messages; returns its seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Method:
    """A method on the lane: what reads its messages, and where its calls are counted.

    `recorder` writes some of them down.
    """

    read: Callable[[bytes], tuple[Request, memoryview]]
    calls: Counted
    recorder: Recorder


@dataclass(frozen=True, slots=True)
class Limits:
    """What the lane takes at once.

    `calls` in progress; `messages` arriving at the same time, each of which may need the memory of
    the largest; `delay_seconds` that a call waits for others to join it, `joined_calls` after which
    it waits no longer.
    """

    calls: int
    messages: int
    delay_seconds: float
    joined_calls: int


def check(version: str) -> str | None:
    """Return why the lane can't be used with this version of grpcio; None when it can."""
    if OLDEST <= tuple(int(part) for part in version.split(".")[:2]) <= NEWEST:
        return None
    oldest, newest = (".".join(map(str, tested)) for tested in (OLDEST, NEWEST))
    return f"grpcio is {version}, and the lane was tested with {oldest} to {newest}"


# Operations that are the same for all answers. They hold no memory, so that calls may share them.
_NO_METADATA = cygrpc.SendInitialMetadataOperation((), 0)
_OK = cygrpc.SendStatusFromServerOperation((), 0, b"", 0)


class Call:
    """One call on the lane, from its arrival until its answer is sent; see `batching.Call`.

    `metadata` are the caller's pairs of key and value, `accepted` tells whether it counts among the
    calls in progress, `ended` whether it has its answer.
    """

    __slots__ = (
        "_core",
        "_lane",
        "_method",
        "accepted",
        "begin",
        "cancelled",
        "deadline",
        "ended",
        "message",
        "metadata",
        "pixels",
        "read",
        "record",
        "request",
        "size",
        "waiting_since",
    )

    request: Request
    pixels: memoryview
    size: int
    waiting_since: float

    def __init__(self, lane: "Lane", method: Method, event: Any) -> None:
        self.begin = method.calls.start()
        self.metadata: Metadata = event.invocation_metadata
        self.record: Record | None = method.recorder.begin(self.begin, self.metadata)
        self.deadline: float = event.call_details.deadline
        self.message = b""
        self.cancelled = False
        self.accepted = False
        self.ended = False
        self.read = method.read
        self._core = event.call
        self._lane = lane
        self._method = method

    @property
    def peer(self) -> str:
        """The caller's address, such as ipv4:127.0.0.1:40000."""
        return str(self._core.peer(), "utf-8")

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        if self.ended:
            return
        self.ended = True
        method, record = self._method, self.record
        # Counted before it is sent, so that whoever has the answer finds it counted.
        seconds = method.calls.end(self.begin, "OK", 1, 1)
        ending = _OK
        if record is not None:
            ending = cygrpc.SendStatusFromServerOperation(trailing(record), 0, b"", 0)
        self._core.start_server_batch(
            (_NO_METADATA, cygrpc.SendMessageOperation(response, 0), ending), self._lane.on_sent
        )
        # Written afterwards, since nobody should wait for it.
        if record is not None:
            method.recorder.end(record, grpc.StatusCode.OK, self.begin, seconds)

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        if self.ended:
            return
        self.ended = True
        status = status_of(error)
        code, method = status.code, self._method
        seconds = method.calls.end(self.begin, spell(code), 1 if self.message else 0, 0)
        told: tuple[tuple[str, str | bytes], ...] = status.trailing_metadata
        if self.record is not None:
            told += trailing(self.record)
        ending = cygrpc.SendStatusFromServerOperation(
            told, code.value[0], status.details.encode(), 0
        )
        lane = self._lane
        self._core.start_server_batch(
            (_NO_METADATA, ending), lane.on_sent if self.accepted else lane.on_refused
        )
        method.recorder.end(self.record, code, self.begin, seconds, reason_of(error))

    def receive(self) -> None:
        """Ask for the message, which arrives at the lane."""
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(0),), self._on_message)

    def watch(self) -> None:
        """Ask to be told when the caller leaves."""
        self._core.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(0),), self._on_close)

    def _on_message(self, event: Any) -> None:
        self._lane.on_message(self, event.batch_operations[0].message())

    def _on_close(self, event: Any) -> None:
        self.cancelled = event.batch_operations[0].cancelled()


class Lane:
    """Takes the calls of some methods off a server and brings those that meet to `take`.

    All but `start`, `join` and `thread_id` happens on the lane's thread, which ends when the server
    has been stopped and each call has its answer. `most_in_progress` is how many calls were in
    progress at once, at most, since somebody has set it to 0.
    """

    def __init__(
        self,
        server: grpc.Server,
        methods: Mapping[str, Method],
        take: Callable[[Sequence[Call]], None],
        limits: Limits,
        refusal: Callable[[], Overloaded | None] = lambda: None,
        guard: Callable[[Metadata], RequestError | None] | None = None,
    ) -> None:
        """Take methods, by their paths such as /SERVICE/METHOD, off a server not yet started.

        `refusal` returns why `take` could not take another call now; it is then refused before its
        message is read. So is one whose metadata `guard` finds fault with.
        """
        self._take = take
        self._guard = guard
        self._refusal = refusal
        self._limits = limits
        self._core = server._cy_server  # type: ignore[attr-defined]
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        self._tags: dict[str, Callable[[Any], None]] = {}
        for path, method in methods.items():
            self._core.register_method(path)
            self._tags[path] = functools.partial(self._on_call, path, method)
        # Calls that the core may still bring, that it has brought and the lane has accepted, and
        # all that have yet to be told how they end.
        self._armed = self._in_progress = self._unsent = 0
        self.most_in_progress = 0
        # Since when, by time.perf_counter, and so in that order.
        self._arriving: dict[Call, float] = {}
        self._unread: deque[Call] = deque()
        self._arrived: list[Call] = []
        self._arrived_bytes = self._events = 0
        self._take_time = 0.0
        self._is_crowded = False
        self._too_many = Overloaded(
            "too_many_calls",
            f"{limits.calls} calls are in progress, as many as the server takes; come back later",
        )
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)

    def start(self) -> None:
        """Take calls; the server must have been started."""
        for path in self._tags:
            for _ in range(ARMED):
                self._arm(path)
        self._thread.start()

    @property
    def thread_id(self) -> int:
        """The system's number of the lane's thread, which must have been started."""
        assert self._thread.native_id is not None
        return self._thread.native_id

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every call has ended, after the server was stopped; returns whether they have.

        That is always so without a timeout.
        """
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def on_message(self, call: Call, message: bytes | None) -> None:
        """Take note of a call's message, or that there is none."""
        del self._arriving[call]
        if self._unread:
            self._receive(self._unread.popleft())
        if call.ended:
            return
        if message is None:
            refuse(call, Cancelled("no_message", "the call ended before its message was there"))
            return
        call.message = message
        if not self._arrived:
            delay = self._limits.delay_seconds
            self._take_time = time.time() + delay if delay else 0.0
        self._arrived.append(call)
        self._arrived_bytes += len(message)

    def on_sent(self, _event: Any) -> None:
        """Take note that a call's answer has left, or that nobody was there to take it."""
        self._in_progress -= 1
        self._unsent -= 1

    def on_refused(self, _event: Any) -> None:
        """Take note that a call which was turned away has been told so."""
        self._unsent -= 1

    def _run(self) -> None:
        poll, timeout = self._queue.poll, cygrpc.CompletionType.queue_timeout
        while self._armed or self._unsent:
            event = poll(self._wake_time())
            try:
                if event.completion_type != timeout:
                    event.tag(event)
                    self._events += 1
                    if self._arrived and self._is_enough():
                        self._take_arrived()
                elif self._arrived:
                    self._take_arrived()
                elif self._is_crowded:
                    self._is_crowded = False
                    time.sleep(CROWD_SECONDS)
                elif self._unread:
                    self._give_up_slowest()
            except Exception:
                log.exception("the lane goes on after an error")
            # An event holds its call, which the core keeps as long as somebody holds it.
            del event

    def _wake_time(self) -> float:
        """Return until when to wait for an event, by time.time; in the past: only look."""
        if self._arrived:
            return self._take_time
        if self._is_crowded:
            return 0.0
        return time.time() + (ARRIVAL_SECONDS if self._unread else IDLE_SECONDS)

    def _arm(self, path: str) -> None:
        """Ask the core for one more call."""
        try:
            self._core.request_registered_call(self._queue, self._queue, path, self._tags[path])
        except ValueError:
            # The server is stopping.
            return
        self._armed += 1

    def _on_call(self, path: str, method: Method, event: Any) -> None:
        self._armed -= 1
        if not event.success:
            return
        self._arm(path)
        self._unsent += 1
        call = Call(self, method, event)
        refusal: RequestError | None = None
        if self._in_progress >= self._limits.calls:
            refusal = self._too_many
        elif refusal := self._refusal():
            self._is_crowded = True
        if refusal is None and self._guard is not None:
            refusal = self._guard(call.metadata)
        if refusal is not None:
            refuse(call, refusal)
            return
        call.accepted = True
        self._in_progress += 1
        if len(self._arriving) < self._limits.messages:
            self._receive(call)
        else:
            self._unread.append(call)
            self._give_up_slowest()

    def _receive(self, call: Call) -> None:
        self._arriving[call] = time.perf_counter()
        call.receive()

    def _give_up_slowest(self) -> None:
        """End the call whose message has been arriving for too long while others wait."""
        slowest, begin = next(iter(self._arriving.items()))
        if not slowest.ended and time.perf_counter() - begin > ARRIVAL_SECONDS:
            message = f"the message took more than {ARRIVAL_SECONDS:g} s to arrive; come back later"
            refuse(slowest, Overloaded("slow_message", message))

    def _is_enough(self) -> bool:
        """Whether as many calls have arrived as may be joined."""
        return (
            len(self._arrived) >= self._limits.joined_calls
            or self._arrived_bytes >= JOINED_BYTES
            or self._events >= JOINED_EVENTS
        )

    def _take_arrived(self) -> None:
        calls, self._arrived, self._arrived_bytes, self._events = self._arrived, [], 0, 0
        if self._in_progress > self.most_in_progress:
            self.most_in_progress = self._in_progress
        try:
            self._take(calls)
        except Exception as error:
            # Nobody else would end them.
            log.exception("calls failed")
            for call in calls:
                call.refuse(error)
        for call in calls:
            if not call.ended:
                call.watch()
