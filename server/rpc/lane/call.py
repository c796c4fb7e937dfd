"""One call on gRPC's core, from its arrival until its answer is sent."""

import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from server.errors import INTERNAL_MESSAGE, reason_of
from server.rpc.admission import UNREAD_ANSWERS, Gate, Method, too_large
from server.rpc.lane.outbox import LARGE_RESPONSE_BYTES, Outbox
from server.rpc.status import status_of
from server.running.calls import Read, refuse
from server.running.request import Request
from server.telemetry.codes import code_name
from server.telemetry.record import Record
from server.telemetry.recording import trailing

log = structlog.get_logger()

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

# Operations that are the same for all answers. They hold no memory, so that calls may share them.
_NO_METADATA = cygrpc.SendInitialMetadataOperation((), 0)
_OK = cygrpc.SendStatusFromServerOperation((), 0, b"", 0)
_INTERNAL = cygrpc.SendStatusFromServerOperation(
    (), grpc.StatusCode.INTERNAL.value[0], INTERNAL_MESSAGE.encode(), 0
)


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of a method's calls once their messages are there.

    Those of a hot one, which `read` reads, are taken together when they meet. Any other has
    `answer`, which ends each call, from any thread, and `gate`, which it may share.
    """

    method: Method
    read: Read | None = None
    answer: "Callable[[LaneCall], None] | None" = None
    gate: "Gate[LaneCall] | None" = None


class Group:
    """The calls that share a gate; `unsent` counts those whose end has not been sent yet."""

    __slots__ = ("arrivals", "gate", "unsent")

    def __init__(self, gate: "Gate[LaneCall]") -> None:
        self.gate, self.arrivals = gate, gate.arrivals
        self.unsent = 0

    def on_sent(self, _event: Any) -> None:
        """Note that a call's answer has left, or that its caller is gone."""
        self.gate.in_progress -= 1
        self.unsent -= 1

    def on_refused(self, _event: Any) -> None:
        """Note that a refusal has left."""
        self.unsent -= 1


class LaneCall:
    """A call on the lane; see `running.calls.Call`.

    `metadata` are the caller's pairs of key and value, `accepted` tells whether it counts among the
    calls in progress, `ended` whether it has its answer. `on_message` gets its message, or None if
    none will come.
    """

    __slots__ = (
        "_core",
        "_message_came",
        "_method",
        "_on_message",
        "_outbox",
        "_peer",
        "accepted",
        "begin",
        "cancelled",
        "deadline",
        "ended",
        "group",
        "held_bytes",
        "identifier",
        "message",
        "metadata",
        "pixels",
        "read",
        "record",
        "request",
        "route",
        "size",
        "waiting_since",
    )

    read: Read
    request: Request
    pixels: memoryview
    identifier: bytes
    size: int
    held_bytes: int
    waiting_since: float

    def __init__(
        self,
        route: Route,
        group: Group,
        outbox: Outbox,
        on_message: "Callable[[LaneCall, bytes | None], None]",
        event: Any,
    ) -> None:
        self._method = method = route.method
        self.begin = begin = method.start()
        self.metadata: Metadata = event.invocation_metadata
        self.record: Record | None = None
        # From now on by a clock that can't be set.
        self.deadline: float = event.call_details.deadline - time.time() + begin
        self.message = b""
        self.cancelled = False
        self.accepted = False
        self.ended = False
        self.group = group
        self.route = route
        self.read = route.read  # type: ignore[assignment]  # others than hot ones are not read
        self._core = event.call
        self._message_came = False
        self._on_message = on_message
        self._outbox = outbox
        self._peer = ""

    @property
    def peer(self) -> str:
        """The caller's address, such as ipv4:127.0.0.1:40000: it stands for the connection."""
        if not self._peer:
            self._peer = str(self._core.peer(), "utf-8", "replace")
        return self._peer

    def receive(self) -> None:
        """Ask for the message."""
        self._core.start_server_batch((cygrpc.ReceiveMessageOperation(0),), self._on_received)

    def cancel(self) -> None:
        """Make the core release the call, whether or not its caller reads how it ended."""
        self._core.cancel()

    def watch(self) -> None:
        """Ask for an event when the caller leaves."""
        self._core.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(0),), self._on_close)

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        if self.ended:
            return
        outbox, method, record, size = self._outbox, self._method, self.record, len(response)
        if size > outbox.max_bytes:
            refuse(self, too_large(size, outbox.max_bytes))
            return
        is_large = size > LARGE_RESPONSE_BYTES
        if is_large and not outbox.hold(size):
            refuse(self, UNREAD_ANSWERS)
            return
        ending = _OK
        if record is not None:
            ending = cygrpc.SendStatusFromServerOperation(trailing(record), 0, b"", 0)
        operations = (_NO_METADATA, cygrpc.SendMessageOperation(response, 0), ending)
        self.ended = True
        seconds = method.end(self.begin, "OK", 1, 1)
        self._send(operations, size if is_large else 0)
        # Written afterwards, so that the caller need not wait for it.
        if record is not None:
            method.write(record, grpc.StatusCode.OK, self.begin, seconds)

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        if self.ended:
            return
        method, record = self._method, self.record
        code, operations = _refusing(error, record)
        self.ended = True
        seconds = method.end(self.begin, code_name(code), 1 if self._message_came else 0, 0)
        self._send(operations)
        method.write(record, code, self.begin, seconds, reason_of(error))

    def _send(self, operations: tuple[Any, ...], held_bytes: int = 0) -> None:
        """Give the core the operations that end the call; `held_bytes` have been counted."""
        group = self.group
        tag: Callable[[Any], None] = group.on_sent if self.accepted else group.on_refused
        if held_bytes:
            tag = functools.partial(self._outbox.on_large_sent, held_bytes, tag)
        try:
            self._core.start_server_batch(operations, tag)
        except Exception:
            log.exception("gRPC did not accept an answer")
            # Its caller learns that none will come.
            with contextlib.suppress(Exception):
                self._core.cancel(grpc.StatusCode.INTERNAL.value[0], INTERNAL_MESSAGE)
            self._outbox.lost.append(tag)

    def _on_received(self, event: Any) -> None:
        message = event.batch_operations[0].message()
        self._message_came = message is not None
        self._on_message(self, message)

    def _on_close(self, event: Any) -> None:
        self.cancelled = event.batch_operations[0].cancelled()


def _refusing(error: Exception, record: Record | None) -> tuple[grpc.StatusCode, tuple[Any, ...]]:
    """Return the code of an error, and the operations that end a call with it."""
    try:
        status = status_of(error)
        metadata: Metadata = status.trailing_metadata
        if record is not None:
            metadata += trailing(record)
        ending = cygrpc.SendStatusFromServerOperation(
            metadata, status.code.value[0], status.details.encode(), 0
        )
    except Exception:
        log.exception("an error has no status")
        return grpc.StatusCode.INTERNAL, (_NO_METADATA, _INTERNAL)
    return status.code, (_NO_METADATA, ending)
