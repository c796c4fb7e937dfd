"""Counts and times every call of any service, under the names that gRPC dashboards expect."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from server import metrics
from server.batching import note_refusal
from server.calls import Calls
from server.errors import Overloaded, RequestError
from server.record import CURRENT, Record, note_reason
from server.rpc.pools import Pool
from server.rpc.recording import Recorder, Recording, trailing
from server.rpc.status import spell, status_of

# In quotes, since the class takes parameters for the type checker alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Guard = Callable[[str, Iterable[tuple[str, str | bytes]]], RequestError | None]

UNKNOWN_METHOD = ("unary", "other", "other")
LONGEST_PATH = 128
"""Characters of an unknown method's path that are logged; callers choose it."""

_TYPES: dict[tuple[bool, bool], tuple[str, str, Callable[..., Handler]]] = {
    (False, False): ("unary", "unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("server_stream", "unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("client_stream", "stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("bidi_stream", "stream_stream", grpc.stream_stream_rpc_method_handler),
}


@dataclass(frozen=True, slots=True)
class Method:
    """One method's calls: where they are counted, and what writes some of them down."""

    calls: Calls
    recorder: Recorder

    @classmethod
    def of(cls, path: str, recording: Recording, kind: str = "unary") -> Self:
        """Return the calls of the method at a path such as /SERVICE/METHOD."""
        _, service, name = path.split("/")
        return cls(metrics.METHODS.of(kind, service, name), recording.of(path))

    def start(self, context: grpc.ServicerContext) -> tuple[float, Record]:
        """Count a call that has arrived; returns the time, and where to note what it does."""
        begin = self.calls.start()
        # On these threads a record costs little; errors then say all that is known.
        return begin, self.recorder.begin(begin, context.invocation_metadata()) or Record()

    def end(
        self,
        begin: float,
        record: Record | None,
        code: grpc.StatusCode,
        received: int = 0,
        sent: int = 0,
    ) -> None:
        """Count a call that has ended, and messages that it had, and write down what is to be."""
        seconds = self.calls.end(begin, spell(code), received, sent)
        self.recorder.end(record, code, begin, seconds)


def declare(services: Iterable[ServiceDescriptor]) -> None:
    """Have the series of all methods of some services, and of those that nobody knows, at zero."""
    metrics.METHODS.of(*UNKNOWN_METHOD)
    for service in services:
        for method in service.methods:
            kind, *_ = _TYPES[method.client_streaming, method.server_streaming]
            metrics.METHODS.of(kind, service.full_name, method.name)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A method's threads and its handler, and what to answer when the threads have enough.

    `turn_away` returns the handler that ends calls with an error.
    """

    pool: Pool
    answering: Handler
    too_many: Overloaded
    turn_away: Callable[[RequestError], Handler]


class Instrumentation(grpc.ServerInterceptor):
    """Counts every call, and gives it threads to run on or turns it away when they are full.

    Methods with a pool in `pools`, by their paths, run there; streams that hold a thread run on
    `streams`, so that idle ones starve nobody; all else runs on `other`, the server's own. Calls
    that `guard` finds fault with, by path and metadata, are turned away as well. `recording` writes
    some calls down.
    """

    def __init__(
        self,
        recording: Recording,
        other: Pool,
        streams: Pool,
        pools: Mapping[str, Pool],
        guard: Guard | None = None,
    ) -> None:
        self._recording = recording
        self._other, self._streams, self._pools = other, streams, pools
        self._guard = guard
        self._turning_away = ThreadPoolExecutor(1, thread_name_prefix="turn away")
        self._wrapped: dict[str, Wrapped] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, which counts; None makes grpc answer UNIMPLEMENTED."""
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = continuation(details)
            if handler is None:
                # Callers choose these names, so they get no series of their own.
                self._count_unknown(details)
                return None
            self._wrapped[details.method] = wrapped = self._wrap(details.method, handler)
        if wrapped.pool.is_full:
            return wrapped.turn_away(wrapped.too_many)
        if self._guard is not None:
            error = self._guard(details.method, details.invocation_metadata)
            if error is not None:
                return wrapped.turn_away(error)
        return wrapped.answering

    def _count_unknown(self, details: grpc.HandlerCallDetails) -> None:
        recorder = self._recording.of(details.method[:LONGEST_PATH])
        unknown = Method(metrics.METHODS.of(*UNKNOWN_METHOD), recorder)
        begin = unknown.calls.start()
        record = recorder.begin(begin, details.invocation_metadata)
        unknown.end(begin, record, grpc.StatusCode.UNIMPLEMENTED)

    def _wrap(self, path: str, handler: Handler) -> Wrapped:
        kind, attribute, constructor = _TYPES[handler.request_streaming, handler.response_streaming]
        method = Method.of(path, self._recording, kind)
        count = _count_stream if handler.response_streaming else _count_call
        streamed = handler.request_streaming
        codec = (handler.request_deserializer, handler.response_serializer)
        behavior = getattr(handler, attribute)
        pool = self._pools.get(path, self._streams if handler.request_streaming else self._other)
        answering = count(method, behavior, streamed)
        answering.experimental_thread_pool = pool  # type: ignore[attr-defined]

        # As if requests were streamed: otherwise grpc would wait for the message first, and who
        # never sends it would keep the only thread for refusals.
        _, _, at_once = _TYPES[True, handler.response_streaming]

        # Each method is refused for a handful of reasons only.
        @functools.cache
        def turn_away(error: RequestError) -> Handler:
            refusing = count(method, _refuse(error), True)
            refusing.experimental_thread_pool = self._turning_away  # type: ignore[attr-defined]
            return at_once(refusing, *codec)

        too_many = _too_many(pool.limit, handler.request_streaming)
        return Wrapped(pool, constructor(answering, *codec), too_many, turn_away)


def _too_many(limit: int, is_stream: bool) -> Overloaded:
    reason, things = ("too_many_streams", "streams") if is_stream else ("too_many_calls", "calls")
    return Overloaded(
        reason, f"{limit} {things} are in progress, as many as the server takes; come back later"
    )


def _refuse(error: RequestError) -> Callable[..., Any]:
    """Return a behavior that ends each call with the error."""
    status = status_of(error)

    def turn_away(_request: Any, context: grpc.ServicerContext, *_callback: Any) -> None:
        note_refusal(error)
        note_reason(error.reason)
        context.abort_with_status(status)

    return turn_away


def _count_call(
    method: Method, behavior: Callable[..., Any], is_streamed: bool
) -> Callable[..., Any]:
    @functools.wraps(behavior)
    def counted(request: Any, context: grpc.ServicerContext) -> Any:
        begin, record = method.start(context)
        current = CURRENT.set(record)
        code = grpc.StatusCode.UNKNOWN
        received = 0 if is_streamed else 1
        try:
            response = behavior(request, context)
            code = _set_code(context) or _natural_end(context)
        except Exception:
            code = _set_code(context) or code
            raise
        finally:
            CURRENT.reset(current)
            _tell_caller(record, context)
            sent = 1 if code is grpc.StatusCode.OK else 0
            method.end(begin, record, code, received, sent)
        return response

    return counted


def _set_code(context: grpc.ServicerContext) -> grpc.StatusCode | None:
    """Return the status that the handler has set; grpc's types leave this method out."""
    code: grpc.StatusCode | None = context.code()  # type: ignore[attr-defined]
    return code


def _natural_end(context: grpc.ServicerContext) -> grpc.StatusCode:
    """Return the status of a call whose handler has returned and set none."""
    if context.is_active():
        return grpc.StatusCode.OK
    remaining = context.time_remaining()
    expired = remaining is not None and remaining <= 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED


def _count_requests(method: Method, requests: Iterator[Any]) -> Iterator[Any]:
    for request in requests:
        method.calls.exchange(received=1)
        yield request


def _count_sent(method: Method, send: Callable[[Any], None]) -> Callable[[Any], None]:
    def counted(response: Any) -> None:
        # None ends the stream.
        method.calls.exchange(sent=0 if response is None else 1)
        send(response)

    return counted


def _count_stream(
    method: Method, behavior: Callable[..., Any], is_streamed: bool
) -> Callable[..., Any]:
    # `wraps` keeps the attributes by which grpc learns that a stream needs no thread.
    @functools.wraps(behavior)
    def counted(request: Any, context: grpc.ServicerContext, *callback: Any) -> Any:
        begin, record = method.start(context)
        exhausted = False
        if is_streamed:
            request = _count_requests(method, request)
        else:
            method.calls.exchange(received=1)

        def ended() -> None:
            natural = grpc.StatusCode.OK if exhausted else grpc.StatusCode.CANCELLED
            method.end(begin, record, _set_code(context) or natural)

        def forward(responses: Iterator[Any]) -> Iterator[Any]:
            nonlocal exhausted
            # Nothing else runs on this thread until the stream ends.
            current = CURRENT.set(record)
            for response in responses:
                method.calls.exchange(sent=1)
                yield response
            CURRENT.reset(current)
            exhausted = True

        if not context.add_callback(ended):
            ended()
        _tell_caller(record, context)
        current = CURRENT.set(record)
        try:
            responses = behavior(
                request, context, *(_count_sent(method, send) for send in callback)
            )
        except Exception:
            # The status that it has set replaced what was told.
            _tell_caller(record, context)
            raise
        finally:
            CURRENT.reset(current)
        return None if responses is None else forward(responses)

    return counted


def _tell_caller(record: Record, context: grpc.ServicerContext) -> None:
    """Add what the record tells to the trailing metadata."""
    if told := trailing(record):
        context.set_trailing_metadata((*(context.trailing_metadata() or ()), *told))
