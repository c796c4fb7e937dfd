"""Gives every call of any service a thread, or an error, and has it counted."""

import functools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor

from server.errors import RequestError
from server.rpc.threads import behaviors
from server.rpc.threads.behaviors import Handler, Method
from server.rpc.threads.pools import Pool
from server.telemetry.calls import METHODS
from server.telemetry.codes import code_name
from server.telemetry.recording import Recording

log = structlog.get_logger()

Guard = Callable[[str, Iterable[tuple[str, str | bytes]]], RequestError | None]

UNKNOWN_METHOD = ("unary", "other", "other")
LONGEST_PATH = 128
"""Characters of an unknown method's path that are logged; callers choose it."""

_KINDS = {
    (False, False): "unary",
    (False, True): "server_stream",
    (True, False): "client_stream",
    (True, True): "bidi_stream",
}


def declare(services: Iterable[ServiceDescriptor]) -> None:
    """Have the series of all methods of some services, and of those that nobody knows, at zero."""
    METHODS.calls(*UNKNOWN_METHOD)
    for service in services:
        for method in service.methods:
            kind = _KINDS[method.client_streaming, method.server_streaming]
            METHODS.calls(kind, service.full_name, method.name)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A method, its threads, and what these do with its calls. `refuse` returns what ends calls
    with an error.
    """

    method: Method
    pool: Pool
    serve: Callable[..., Any]
    refuse: Callable[[RequestError], Callable[..., Any]]
    mount: Callable[..., Handler]


class Instrumentation(grpc.ServerInterceptor):
    """Counts every call, and gives it threads to run on or turns it away when they are full.

    Methods with a pool in `pools`, by their paths, run there; streams that hold a thread run on
    `streams`, so that idle ones starve nobody; all else runs on `other`, the server's own. Calls
    that `guard` finds fault with, by path and metadata, are turned away as well. `recording` writes
    some calls down. Answers have up to `response_bytes`.
    """

    def __init__(
        self,
        recording: Recording,
        other: Pool,
        streams: Pool,
        pools: Mapping[str, Pool],
        guard: Guard | None = None,
        response_bytes: int = 2**31 - 1,
    ) -> None:
        self._recording = recording
        self._other, self._streams, self._pools = other, streams, pools
        self._guard = guard
        self._response_bytes = response_bytes
        self._turning_away = ThreadPoolExecutor(1, thread_name_prefix="turn away")
        # Its thread is there before there is need for it.
        self._turning_away.submit(int)
        self._wrapped: dict[str, Wrapped] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Return the method's handler, which counts; None makes grpc answer UNIMPLEMENTED.

        All calls wait for this.
        """
        try:
            return self._choose(continuation, details)
        except Exception as error:
            log.exception("call failed")
            return grpc.stream_stream_rpc_method_handler(behaviors.uncounted_refusal(error))

    def _choose(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        wrapped = self._wrapped.get(details.method)
        if wrapped is None:
            handler = continuation(details)
            if handler is None:
                # Callers choose these names, so they get no series of their own.
                self._count_unknown(details)
                return None
            self._wrapped[details.method] = wrapped = self._wrap(details.method, handler)
        error: RequestError | None = None
        if wrapped.pool.is_full:
            error = wrapped.pool.too_many
        elif self._guard is not None:
            error = self._guard(details.method, details.invocation_metadata)
        serve = wrapped.serve if error is None else wrapped.refuse(error)
        behavior = functools.partial(serve, wrapped.method.calls.start())
        # By these attributes grpcio learns where it runs, and that a stream needs no thread.
        behavior.__dict__.update(serve.__dict__)
        pool = wrapped.pool if error is None else self._turning_away
        behavior.experimental_thread_pool = pool  # type: ignore[attr-defined]
        return wrapped.mount(behavior)

    def _count_unknown(self, details: grpc.HandlerCallDetails) -> None:
        unknown = Method(
            METHODS.calls(*UNKNOWN_METHOD), self._recording.recorder(details.method[:LONGEST_PATH])
        )
        code = grpc.StatusCode.UNIMPLEMENTED
        begin = unknown.calls.start()
        record = unknown.recorder.begin(begin, details.invocation_metadata)
        seconds = unknown.calls.end(begin, code_name(code))
        unknown.recorder.end(record, code, begin, seconds)

    def _wrap(self, path: str, handler: Handler) -> Wrapped:
        method = Method.of(
            path, self._recording, _KINDS[handler.request_streaming, handler.response_streaming]
        )
        pool = self._pools.get(path, self._streams if handler.request_streaming else self._other)
        if getattr(handler.unary_stream, "experimental_non_blocking", False):
            behavior: Callable[..., Callable[..., Any]] = behaviors.watch
        elif handler.response_streaming:
            behavior = behaviors.stream
        else:
            behavior = behaviors.unary
        mount = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return Wrapped(
            method,
            pool,
            behavior(method, handler, pool, self._response_bytes),
            functools.partial(behaviors.refusal, method, pool),
            mount,
        )
