"""Counts and times every call of any service, under the names that gRPC dashboards expect."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import structlog

from server import metrics

log = structlog.get_logger()

# In quotes, since the class takes parameters for the type checker alone.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

UNKNOWN_METHOD = ("unary", "other", "other")

_TYPES: dict[tuple[bool, bool], tuple[str, str, Callable[..., Handler]]] = {
    (False, False): ("unary", "unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("server_stream", "unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("client_stream", "stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("bidi_stream", "stream_stream", grpc.stream_stream_rpc_method_handler),
}


@dataclass(frozen=True, slots=True)
class Method:
    """The series of one method."""

    labels: tuple[str, str, str]

    def start(self) -> float:
        """Count a call that has arrived; returns the time for `end`."""
        metrics.STARTED.labels(*self.labels).inc()
        return time.perf_counter()

    def end(self, begin: float, code: grpc.StatusCode) -> None:
        """Count a call that has ended."""
        seconds = time.perf_counter() - begin
        spelt = _spell(code)
        metrics.HANDLING_SECONDS.labels(*self.labels).observe(seconds)
        metrics.HANDLED.labels(*self.labels, spelt).inc()
        log.debug("call", method="/".join(self.labels[1:]), code=spelt, seconds=round(seconds, 6))


@dataclass(slots=True)
class Instrumentation(grpc.ServerInterceptor):
    """Wraps each method's handler once, at its first call."""

    wrapped: dict[str, Handler] = field(default_factory=dict)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, which counts; None makes grpc answer UNIMPLEMENTED."""
        wrapped = self.wrapped.get(details.method)
        if wrapped is not None:
            return wrapped
        handler = continuation(details)
        if handler is None:
            # Callers choose these names, so they get no series of their own.
            unknown = Method(UNKNOWN_METHOD)
            unknown.end(unknown.start(), grpc.StatusCode.UNIMPLEMENTED)
            return None
        self.wrapped[details.method] = wrapped = _wrap(details.method, handler)
        return wrapped


def _wrap(path: str, handler: Handler) -> Handler:
    kind, attribute, constructor = _TYPES[handler.request_streaming, handler.response_streaming]
    _, service, name = path.split("/")
    method = Method((kind, service, name))
    count = _count_stream if handler.response_streaming else _count_call
    behavior = count(method, getattr(handler, attribute))
    return constructor(behavior, handler.request_deserializer, handler.response_serializer)


def _count_call(method: Method, behavior: Callable[..., Any]) -> Callable[..., Any]:
    def counted(request: Any, context: grpc.ServicerContext) -> Any:
        begin = method.start()
        code = grpc.StatusCode.UNKNOWN
        try:
            response = behavior(request, context)
            code = _set_code(context) or _natural_end(context)
        except Exception:
            code = _set_code(context) or code
            raise
        finally:
            method.end(begin, code)
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


def _count_stream(method: Method, behavior: Callable[..., Any]) -> Callable[..., Any]:
    # `wraps` keeps the attributes by which grpc learns that a stream needs no thread.
    @functools.wraps(behavior)
    def counted(request: Any, context: grpc.ServicerContext, *callback: Any) -> Any:
        begin = method.start()
        exhausted = False

        def ended() -> None:
            natural = grpc.StatusCode.OK if exhausted else grpc.StatusCode.CANCELLED
            method.end(begin, _set_code(context) or natural)

        def forward(responses: Iterator[Any]) -> Iterator[Any]:
            nonlocal exhausted
            yield from responses
            exhausted = True

        if not context.add_callback(ended):
            ended()
        responses = behavior(request, context, *callback)
        return None if responses is None else forward(responses)

    return counted


def _spell(code: grpc.StatusCode) -> str:
    """Spell a code as Go does and dashboards expect: InvalidArgument."""
    return (
        "OK"
        if code is grpc.StatusCode.OK
        else code.name.title().replace("_", "").replace("Cancelled", "Canceled")
    )
