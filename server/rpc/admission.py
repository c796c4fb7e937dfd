"""Lets calls in, on the lane and on threads: who may call, how many at once, how each is counted.

The words of every refusal that has nothing to do with what a call asks for stand here.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.descriptor import ServiceDescriptor

from server.errors import Cancelled, Overloaded, RequestError, TooLarge
from server.files.tokens import Tokens
from server.rpc.arrivals import Arrivals, Arriving
from server.telemetry.calls import METHODS
from server.telemetry.record import Record
from server.telemetry.recording import Pairs, Recorder, Recording

ARRIVAL_SECONDS = 2.0
"""How long a message may take to arrive while others wait for its place."""

UNKNOWN_METHOD = ("unary", "other", "other")
"""The name under which calls of unknown methods are counted: their callers choose the names."""

MAX_PATH = 128
"""Characters of an unknown method's path that are logged."""

KINDS = {
    (False, False): "unary",
    (False, True): "server_stream",
    (True, False): "client_stream",
    (True, True): "bidi_stream",
}
"""What metrics call a method, by whether its requests and its responses are streams."""

SLOW_MESSAGE = Overloaded(
    "slow_message",
    f"the message took too long to arrive (up to {ARRIVAL_SECONDS:g} s) while other calls waited "
    "for its place; retry later",
)
IDLE_STREAM = Overloaded(
    "idle_stream",
    f"the stream was idle for more than {ARRIVAL_SECONDS:g} s, and its connection held more than "
    "half of all streams while another needed one; retry later",
)
UNREAD_ANSWERS = Overloaded(
    "unread_answers",
    "unread answers fill the server's buffer; read answers as they arrive, or retry later",
)


def no_message() -> Cancelled:
    """Return the error for a call that ended without a message."""
    return Cancelled("no_message", "the call ended before its message arrived")


def too_large(size: int, limit: int) -> TooLarge:
    """Return the error for an answer of this many bytes."""
    return TooLarge(
        "answer_bytes",
        f"the answer has {size} bytes, more than max_message_bytes, {limit}; ask for less in one "
        "call, or raise the server's --max-message-bytes",
        size,
        limit,
    )


class Counts(Protocol):
    """Where a method's calls are counted; see `telemetry.calls.Calls`."""

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        ...

    def end(self, begin: float, code: str, received: int, sent: int, /) -> float:
        """Count a call that has ended, and its messages; returns its seconds."""
        ...

    def exchange(self, received: int = 0, sent: int = 0) -> None:
        """Count messages of a call in progress."""
        ...


class Method:
    """One method: who may call it, where its calls are counted, and what writes some of them down.

    `start` counts a call that has arrived, and `end` one that ends, before its answer is sent, so
    that whoever has the answer finds it counted. `write` then writes its line and its span.
    """

    __slots__ = ("_recorder", "_tokens", "counts", "end", "start", "write")

    def __init__(self, counts: Counts, recorder: Recorder, tokens: Tokens | None = None) -> None:
        self.counts, self._recorder, self._tokens = counts, recorder, tokens
        # Without a function around each, which every call would pay for.
        self.start, self.end, self.write = counts.start, counts.end, recorder.end

    def admit(
        self, begin: float, metadata: Pairs, gate: "Gate[Any] | None"
    ) -> tuple[Record | None, RequestError | None]:
        """Return where to note what a call does, if it is logged, traced or timed, and why it must
        not be answered, if its caller may not make it or the gate is full.
        """
        record = self._recorder.begin(begin, metadata)
        refusal: RequestError | None = None
        if self._tokens is not None:
            refusal = self._tokens.refusal(metadata)
        if refusal is None and gate is not None and gate.in_progress >= gate.max_calls:
            refusal = gate.too_many
        return record, refusal


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may call: the services and the paths of methods in `admin` with one of `admin_tokens`,
    others with one of `tokens`, the `open_services` with none. Where there are no tokens, none are
    needed.
    """

    recording: Recording
    tokens: Tokens | None = None
    admin: Collection[str] = ()
    admin_tokens: Tokens | None = None
    open_services: Collection[str] = ()

    def method(self, path: str, kind: str = "unary") -> Method:
        """Return the method at a path such as /SERVICE/METHOD, whose series exist from then on."""
        _, service, name = path.split("/")
        is_admin = service in self.admin or path in self.admin
        tokens = self.admin_tokens if is_admin else self.tokens
        if service in self.open_services:
            tokens = None
        counts = METHODS.calls(kind, service, name)
        return Method(counts, self.recording.recorder(path, counts.exemplars), tokens)

    def unknown_method(self, path: str) -> Method:
        """Return the counter for calls of unknown methods."""
        counts = METHODS.calls(*UNKNOWN_METHOD)
        return Method(counts, self.recording.recorder(path[:MAX_PATH], counts.exemplars))


def declare(services: Iterable[ServiceDescriptor]) -> None:
    """Initialise the series of all methods of some services, and of unknown methods, to zero."""
    METHODS.calls(*UNKNOWN_METHOD)
    for service in services:
        for method in service.methods:
            kind = KINDS[method.client_streaming, method.server_streaming]
            METHODS.calls(kind, service.full_name, method.name)


C = TypeVar("C", bound=Arriving)


class Gate(Generic[C]):
    """Bounds what the calls of some methods may have at once: how many are in progress, and how
    many of their messages arrive, each of which may take `patience_seconds` while others wait.

    For one thread at a time.
    """

    __slots__ = ("arrivals", "in_progress", "max_calls", "too_many")

    def __init__(
        self,
        max_calls: int,
        max_messages: int,
        patience_seconds: float = ARRIVAL_SECONDS,
        *,
        are_streams: bool = False,
    ) -> None:
        self.max_calls = max_calls
        self.in_progress = 0
        self.arrivals = Arrivals[C](max_messages, patience_seconds)
        things = "streams" if are_streams else "calls"
        self.too_many = Overloaded(
            "too_many_streams" if are_streams else "too_many_calls",
            f"{max_calls} {things} are in progress, the server's maximum; retry later",
        )
