"""What a thread does with a call: reads, answers and counts it, however it ends.

Each is mounted as if requests were streamed, so that it runs before the message is there. It takes
and returns bytes: what goes wrong with them then has a status and a count of ours.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError

from server.errors import Cancelled, Expired, InvalidField, RequestError, reason_of
from server.rpc.lane.lane import too_large
from server.rpc.status import INTERNAL_MESSAGE, status_of
from server.rpc.threads import inside
from server.rpc.threads.pools import GivenUp, Pool
from server.running.batcher import note_refusal
from server.telemetry.calls import METHODS, Calls
from server.telemetry.codes import code_name
from server.telemetry.record import CURRENT, Record
from server.telemetry.recording import Recorder, Recording, trailing

log = structlog.get_logger()

# In quotes, since the class takes parameters for the type checker alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Send: TypeAlias = Callable[[None], None]


_UNREAD = {
    grpc.StatusCode.CANCELLED: Cancelled("cancelled", "the caller has left"),
    grpc.StatusCode.DEADLINE_EXCEEDED: Expired(
        "deadline", "the call's time was over before its message was read"
    ),
}
"""Why calls end whose callers have left before."""


class Refused(Exception):
    """An error that ends a call, and has been counted."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Method:
    """One method's calls: where they are counted, and what writes some of them down."""

    calls: Calls
    recorder: Recorder

    @classmethod
    def of(cls, path: str, recording: Recording, kind: str = "unary") -> Self:
        """Return the calls of the method at a path such as /SERVICE/METHOD."""
        _, service, name = path.split("/")
        return cls(METHODS.calls(kind, service, name), recording.recorder(path))


@dataclass(frozen=True, slots=True)
class Sender:
    """How a stream without a thread answers. `send` sends a response, and calls a function once it
    has left, before which no other may be sent; `end` ends the call.
    """

    send: Callable[[Any, Callable[[], None]], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Ending(grpc.Status):
    """What ends a call, as grpc wants it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


class Started:
    """A call that a thread has begun to serve, which is counted once when it ends.

    `needs_message` tells whether it is for a message that was not there yet that it would end.
    """

    __slots__ = (
        "_begin",
        "_context",
        "_is_over",
        "_method",
        "code",
        "needs_message",
        "received",
        "record",
        "sent",
    )

    def __init__(self, method: Method, begin: float, context: grpc.ServicerContext) -> None:
        self._method, self._begin, self._context = method, begin, context
        self._is_over = False
        self.code = grpc.StatusCode.UNKNOWN
        self.received = self.sent = 0
        self.needs_message = False
        # On these threads a record costs little; errors then say all that is known.
        metadata = context.invocation_metadata() or ()
        self.record = method.recorder.begin(begin, metadata) or Record()

    def end(self) -> None:
        """Count the call, as it has ended."""
        if self._is_over:
            return
        self._is_over = True
        seconds = self._method.calls.end(
            self._begin, code_name(self.code), self.received, self.sent
        )
        self._method.recorder.end(self.record, self.code, self._begin, seconds)

    def end_naturally(self) -> None:
        """Note that the handler is done: the caller has what it wanted, unless it has left."""
        self.code = _left(self._context) or grpc.StatusCode.OK

    def fail(self, error: BaseException) -> Ending | None:
        """Note the error that ends the call; returns the status to end it with, None when it has
        ended.
        """
        if isinstance(error, GivenUp):
            self._note(error.error)
            self.code = status_of(error.error).code
            return None
        if isinstance(error, grpc.RpcError) and (code := _left(self._context)):
            self.code = code
            if self.needs_message:
                self._note(_UNREAD[code])
            return None
        if isinstance(error, Refused):
            cause = error.error
            self.record.reason = reason_of(cause)
        else:
            if not isinstance(error, RequestError):
                log.error("call failed", exc_info=error)
            cause = error if isinstance(error, Exception) else RuntimeError(str(error))
            self._note(cause)
        ending = self._ending(cause)
        self.code = ending.code
        return ending

    def _note(self, error: Exception) -> None:
        note_refusal(error)
        self.record.reason = reason_of(error)

    def _ending(self, error: Exception) -> Ending:
        """Return an error's status, and what the record tells."""
        try:
            status = status_of(error)
        except Exception:
            log.exception("an error can't be told")
            return Ending(grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE, ())
        told: tuple[tuple[str, str | bytes], ...] = status.trailing_metadata
        told += trailing(self.record)
        return Ending(status.code, status.details, told)


def unary(method: Method, handler: Handler, pool: Pool, limit: int) -> Callable[..., bytes]:
    """Return what answers a message with one of up to `limit` bytes."""
    read, write = _codec(handler, limit)
    answer: Any = handler.unary_unary

    def serve(begin: float, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        call = Started(method, begin, context)
        current = CURRENT.set(call.record)
        try:
            call.needs_message = True
            message = _receive(pool, messages, context)
            call.needs_message, call.received = False, 1
            response = write(answer(read(message), context))
            call.end_naturally()
            call.sent = 1 if call.code is grpc.StatusCode.OK else 0
            if told := trailing(call.record):
                context.set_trailing_metadata(told)
            return response
        except BaseException as error:
            _end(call, error, messages, context)
            raise
        finally:
            CURRENT.reset(current)
            # Before the answer is sent, so that whoever has it finds it counted.
            call.end()

    return serve


def stream(
    method: Method, handler: Handler, pool: Pool, limit: int
) -> Callable[..., Iterator[bytes]]:
    """Return what answers messages with others of up to `limit` bytes each, on one thread."""
    read, write = _codec(handler, limit)
    answer_each: Any = handler.stream_stream
    answer_one: Any = handler.unary_stream

    def received(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        while (message := pool.receive(messages, context)) is not None:
            method.calls.exchange(received=1)
            yield read(message)

    def responses(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        if handler.request_streaming:
            return answer_each(received(messages, context), context)
        message = _receive(pool, messages, context)
        method.calls.exchange(received=1)
        return answer_one(read(message), context)

    def serve(
        begin: float, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        call = Started(method, begin, context)
        # Nothing else runs on this thread until the stream ends.
        CURRENT.set(call.record)
        call.code = grpc.StatusCode.CANCELLED
        try:
            if told := trailing(call.record):
                context.set_trailing_metadata(told)
            for response in responses(messages, context):
                data = write(response)
                method.calls.exchange(sent=1)
                yield data
            call.end_naturally()
        except GeneratorExit:
            # Its caller has left.
            raise
        except BaseException as error:
            _end(call, error, messages, context)
            raise
        finally:
            call.end()

    return serve


def watch(method: Method, handler: Handler, pool: Pool, limit: int) -> Callable[..., None]:
    """Return what begins a stream that goes on without a thread."""
    read, write = _codec(handler, limit)
    begin_stream: Any = handler.unary_stream

    def serve(
        begin: float, messages: Iterator[bytes], context: grpc.ServicerContext, finish: Send
    ) -> None:
        call = Started(method, begin, context)
        call.code = grpc.StatusCode.CANCELLED

        def send(response: Any, on_left: Callable[[], None]) -> None:
            method.calls.exchange(sent=1)
            inside.post(context, write(response), on_left)

        def end() -> None:
            call.code = grpc.StatusCode.OK
            finish(None)

        if not context.add_callback(call.end):
            call.end()
        try:
            if told := trailing(call.record):
                context.set_trailing_metadata(told)
            message = _receive(pool, messages, context)
            method.calls.exchange(received=1)
            begin_stream(read(message), context, Sender(send, end))
        except BaseException as error:
            _end(call, error, messages, context)
            raise

    serve.experimental_non_blocking = True  # type: ignore[attr-defined]
    return serve


def refusal(method: Method, pool: Pool, error: RequestError) -> Callable[..., Any]:
    """Return what ends a call with an error, before its message is there."""

    def serve(
        begin: float, messages: Iterator[bytes], context: grpc.ServicerContext, *_: Any
    ) -> None:
        call = Started(method, begin, context)
        try:
            if error is pool.too_many:
                pool.make_room(context.peer())
        except Exception:
            log.exception("no room was made")
        try:
            _end(call, error, messages, context)
        finally:
            call.end()

    return serve


def uncounted_refusal(error: Exception) -> Callable[..., Any]:
    """Return what ends a call with an error that kept it from being counted."""

    def serve(_: Iterator[bytes], context: grpc.ServicerContext) -> None:
        context.abort_with_status(status_of(error))

    return serve


def _receive(pool: Pool, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    """Return the only message of a call; raises Cancelled when it has none."""
    message = pool.receive(messages, context)
    if message is None:
        raise Cancelled("no_message", "the call ended before its message was there")
    return message


def _end(
    call: Started, error: BaseException, messages: Iterator[bytes], context: grpc.ServicerContext
) -> None:
    """End a call with an error, and raise what grpcio then expects from its thread; returns when
    that is the error itself.
    """
    ending = call.fail(error)
    if ending is not None:
        context.abort_with_status(ending)
    if isinstance(error, GivenUp):
        # The call is over, which this raises.
        next(messages, None)


def _codec(handler: Handler, limit: int) -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    """Return what reads a handler's messages and writes its answers, which raise RequestError."""
    deserialize, serialize = handler.request_deserializer, handler.response_serializer

    def read(message: bytes) -> Any:
        if deserialize is None:
            return message
        try:
            return deserialize(message)
        except DecodeError as error:
            raise InvalidField(
                "not_a_request",
                f"the message ({len(message)} bytes) is not one that this method takes ({error})",
                "",
            ) from error

    def write(response: Any) -> bytes:
        data: bytes = response if serialize is None else serialize(response)
        if len(data) > limit:
            raise too_large(len(data), limit)
        return data

    return read, write


def _left(context: grpc.ServicerContext) -> grpc.StatusCode | None:
    """Return how a call has ended whose caller is gone; None while it waits."""
    if context.is_active():
        return None
    remaining = context.time_remaining()
    expired = remaining is not None and remaining <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
