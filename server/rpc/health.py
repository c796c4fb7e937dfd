"""Health for probes: "" asks whether the process lives, a service's name whether it is ready.

grpcio's own servicer sends to watchers while it holds the lock that their cancellation waits for,
so that a change of state can hang for good; this one sends from a thread of its own, unlocked.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import grpc
from grpc_health.v1 import health_pb2

from server.errors import NotLoaded

NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

Response: TypeAlias = health_pb2.HealthCheckResponse
Send = Callable[[Response | None], None]
"""Sends a response to a watcher; None ends its call."""


class Health:
    """The grpc.health.v1 state of some services, NOT_SERVING until `set_ready(True)`."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._states = {"": Response.SERVING} | dict.fromkeys(services, Response.NOT_SERVING)
        self._watchers: dict[Send, str] = {}
        self._lock = threading.Lock()
        # One thread, so that what it is given in the lock's order arrives in that order.
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="health")

    def mount(self, server: grpc.Server) -> None:
        """Add Watch to a server not yet started; Check is `check`, wherever it is mounted."""
        codec = (health_pb2.HealthCheckRequest.FromString, Response.SerializeToString)
        handlers = {"Watch": grpc.unary_stream_rpc_method_handler(self._watch, *codec)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))

    def set_ready(self, ready: bool) -> None:
        """Answer SERVING or NOT_SERVING for every service from now on, and tell the watchers."""
        state = Response.SERVING if ready else Response.NOT_SERVING
        with self._lock:
            self._states |= {service: state for service in self._states if service}
            for send, service in self._watchers.items():
                if service in self._states and service:
                    self._sender.submit(send, Response(status=state))

    def end_watches(self) -> None:
        """End the calls of all watchers, which would otherwise outlast any grace period."""
        with self._lock:
            for send in self._watchers:
                self._sender.submit(send, None)

    def check(self, request: health_pb2.HealthCheckRequest) -> Response:
        """Return the state of a service; raises NotLoaded when there is no such service."""
        state = self._states.get(request.service)
        if state is None:
            known = ", ".join(service for service in self._states if service)
            raise NotLoaded(
                "unknown_service",
                f"service: {request.service!r} is unknown; ask for {known}, or for nothing",
            )
        return Response(status=state)

    def _watch(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext, send: Send
    ) -> None:
        def forget() -> None:
            with self._lock:
                self._watchers.pop(send, None)

        with self._lock:
            self._watchers[send] = request.service
            state = self._states.get(request.service, Response.SERVICE_UNKNOWN)
            self._sender.submit(send, Response(status=state))
        if not context.add_callback(forget):
            forget()

    # grpc then gives the call a function to send with, in place of a thread to wait on.
    _watch.experimental_non_blocking = True  # type: ignore[attr-defined]
