"""The methods on an ordinary gRPC server: each call is let in, has a thread, and runs by itself.

Each is mounted as if requests were streamed, so that it runs before the message is there, and takes
and returns bytes, so that errors in them get our statuses and are counted.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import Message

from server.rpc.admission import KINDS, UNREAD_ANSWERS, Admission, no_message, too_large
from server.rpc.lane.outbox import LARGE_RESPONSE_BYTES, Outbox
from server.rpc.threads import inside
from server.rpc.threads.call import Refused, ThreadCall, ThreadMessage, ThreadMethod
from server.rpc.threads.pools import GivenUp, Pool
from server.running.batcher import Batcher
from server.running.calls import Read
from server.telemetry.codes import code_name
from server.telemetry.recording import Pairs, trailing

log = structlog.get_logger()

# In quotes, since the class takes parameters for the type checker alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

Mount: TypeAlias = Callable[..., Handler]

Respond = Callable[[ThreadCall, bytes, grpc.ServicerContext], bytes]
RespondEach = Callable[[ThreadCall, Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]


class Service(grpc.GenericRpcHandler):
    """Has every call counted, and gives it threads to run on or turns it away.

    A subclass, since grpc takes nothing else for methods of any service.
    """

    def __init__(self, admission: Admission, outbox: Outbox) -> None:
        self._admission, self._outbox = admission, outbox
        self._turning_away = ThreadPoolExecutor(1, thread_name_prefix="turn away")
        # Start its thread before it is needed.
        self._turning_away.submit(int)
        self._methods: dict[str, tuple[ThreadMethod, Callable[..., Any], Mount]] = {}

    def add_unary(self, path: str, pool: Pool, respond: Respond) -> None:
        """Add a method that answers a message with one."""
        serve = functools.partial(serve_unary, respond)
        self._add(path, (False, False), pool, serve, grpc.stream_unary_rpc_method_handler)

    def add_plain(self, path: str, pool: Pool, respond: Callable[[bytes], bytes]) -> None:
        """Add one for which the message is all that counts."""
        self.add_unary(path, pool, lambda _call, message, _context: respond(message))

    def add_stream(self, path: str, pool: Pool, respond_each: RespondEach) -> None:
        """Add a method that answers messages with others, on one thread for each stream."""
        serve = functools.partial(serve_stream, respond_each)
        self._add(path, (True, True), pool, serve, grpc.stream_stream_rpc_method_handler)

    def add_watch(self, path: str, pool: Pool, begin: "Begin") -> None:
        """Add a method that answers a message with a stream that goes on without a thread: `begin`
        gets the message, the context and a Sender.
        """
        serve = functools.partial(serve_watch, begin)
        serve.experimental_non_blocking = True  # type: ignore[attr-defined]
        self._add(path, (False, True), pool, serve, grpc.stream_stream_rpc_method_handler)

    def _add(
        self,
        path: str,
        kind: tuple[bool, bool],
        pool: Pool,
        serve: Callable[..., Any],
        mount: Mount,
    ) -> None:
        method = self._admission.method(path, KINDS[kind])
        self._methods[path] = ThreadMethod(method, pool, self._outbox), serve, mount

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Return the handler of a call; None makes grpc answer UNIMPLEMENTED.

        All calls wait for this.
        """
        metadata: Pairs = handler_call_details.invocation_metadata or ()
        known = self._methods.get(handler_call_details.method)
        if known is None:
            self._count_unknown(handler_call_details.method, metadata)
            return None
        method, serve, mount = known
        call = ThreadCall(method, metadata)
        threads: ThreadPoolExecutor = method.pool
        if call.refusal is not None:
            serve, threads = turn_away, self._turning_away
        behavior = functools.partial(serve, call)
        # By its attributes grpcio knows where it runs, and whether a stream needs a thread.
        behavior.__dict__.update(serve.__dict__)
        behavior.experimental_thread_pool = threads  # type: ignore[attr-defined]
        return mount(behavior)

    def _count_unknown(self, path: str, metadata: Pairs) -> None:
        method, code = self._admission.unknown_method(path), grpc.StatusCode.UNIMPLEMENTED
        begin = method.start()
        record, _ = method.admit(begin, metadata, None)
        method.write(record, code, begin, method.end(begin, code_name(code), 0, 0))


@dataclass(frozen=True, slots=True)
class Sender:
    """How a stream without a thread answers. `send` sends a response, and calls a function once it
    has left, before which no other may be sent; `end` ends the call.
    """

    send: Callable[[Message, Callable[[], None]], None]
    end: Callable[[], None]


Begin = Callable[[bytes, grpc.ServicerContext, Sender], None]


def respond_alone(batcher: Batcher, read: Read) -> Respond:
    """Return a function that answers a message by a run of its own."""

    def respond(call: ThreadCall, message: bytes, context: grpc.ServicerContext) -> bytes:
        remaining = context.time_remaining()
        deadline = math.inf if remaining is None else time.perf_counter() + remaining
        left = not context.is_active()
        waiting = ThreadMessage(read, message, call.metadata, call.record, deadline, left)
        batcher.answer_alone(waiting)
        if waiting.error is not None:
            raise Refused(waiting.error)
        return waiting.response or b""

    return respond


def serve_unary(
    respond: Respond,
    call: ThreadCall,
    messages: Iterator[bytes],
    context: grpc.ServicerContext,
) -> bytes:
    """Answer a message with one."""
    try:
        message = _receive(call, messages, context)
        call.received = 1
        response = _check(call, respond(call, message, context))
        _hold(call, response, context)
        call.end_naturally(context)
        call.sent = 1 if call.code is grpc.StatusCode.OK else 0
        _tell(call, context)
        return response
    except BaseException as error:
        _end(call, error, messages, context)
        raise
    finally:
        # Before the answer is sent, so that whoever has it finds it counted.
        call.end()


def serve_stream(
    respond_each: RespondEach,
    call: ThreadCall,
    messages: Iterator[bytes],
    context: grpc.ServicerContext,
) -> Iterator[bytes]:
    """Answer messages with others, on this thread until the end."""
    call.code = grpc.StatusCode.CANCELLED

    def receive_each() -> Iterator[bytes]:
        while (message := call.served.pool.receive(messages, context)) is not None:
            call.served.method.counts.exchange(received=1)
            yield message

    try:
        for response in respond_each(call, receive_each(), context):
            _check(call, response)
            call.served.method.counts.exchange(sent=1)
            yield response
        call.end_naturally(context)
        _tell(call, context)
    except GeneratorExit:
        # Its caller has left.
        raise
    except BaseException as error:
        _end(call, error, messages, context)
        raise
    finally:
        call.end()


def serve_watch(
    begin: Begin,
    call: ThreadCall,
    messages: Iterator[bytes],
    context: grpc.ServicerContext,
    finish: Callable[[None], None],
) -> None:
    """Begin a stream that goes on without a thread."""
    call.code = grpc.StatusCode.CANCELLED

    def send(response: Message, on_left: Callable[[], None]) -> None:
        call.served.method.counts.exchange(sent=1)
        inside.post(context, _check(call, response.SerializeToString()), on_left)

    def end() -> None:
        call.code = grpc.StatusCode.OK
        _tell(call, context)
        finish(None)

    if not context.add_callback(call.end):
        call.end()
    try:
        message = _receive(call, messages, context)
        call.served.method.counts.exchange(received=1)
        begin(message, context, Sender(send, end))
    except BaseException as error:
        _end(call, error, messages, context)
        raise


def turn_away(
    call: ThreadCall,
    messages: Iterator[bytes],
    context: grpc.ServicerContext,
    *_: Any,
) -> None:
    """End a call that has been refused, before its message is there."""
    assert call.refusal is not None
    try:
        if call.refusal is call.served.pool.gate.too_many:
            call.served.pool.make_room(context.peer())
    except Exception:
        log.exception("making room for a call failed")
    try:
        _end(call, call.refusal, messages, context)
    finally:
        call.end()


def _tell(call: ThreadCall, context: grpc.ServicerContext) -> None:
    """Give the caller what it gets of the record, as the call is about to end well."""
    if pairs := trailing(call.record):
        context.set_trailing_metadata(pairs)


def _receive(call: ThreadCall, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    """Return the only message of a call; raises Cancelled when it has none."""
    call.needs_message = True
    message = call.served.pool.receive(messages, context)
    if message is None:
        raise no_message()
    call.needs_message = False
    return message


def _check(call: ThreadCall, response: bytes) -> bytes:
    """Return a response that may be sent; raises TooLarge."""
    limit = call.served.outbox.max_bytes
    if len(response) > limit:
        raise too_large(len(response), limit)
    return response


def _hold(call: ThreadCall, response: bytes, context: grpc.ServicerContext) -> None:
    """Count the bytes of a large response until it has left; raises Overloaded when as many wait
    for their callers as may.
    """
    outbox, size = call.served.outbox, len(response)
    if size <= LARGE_RESPONSE_BYTES:
        return
    if not outbox.hold(size):
        # Not the same one each time: it would keep the frames that it came through.
        raise replace(UNREAD_ANSWERS)
    release = functools.partial(outbox.release, size)
    if not context.add_callback(release):
        release()


def _end(
    call: ThreadCall,
    error: BaseException,
    messages: Iterator[bytes],
    context: grpc.ServicerContext,
) -> None:
    """End a call with an error, and raise what grpcio then expects; returns if that is the error
    itself.
    """
    status = call.fail(error, context)
    if status is not None:
        context.abort_with_status(status)
    if isinstance(error, GivenUp):
        # The call is over, which this raises.
        next(messages, None)
