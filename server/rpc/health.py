"""Health for probes: "" asks whether the process is live, a service's name whether it is ready.

grpcio's own servicer gives each watcher a thread, or sends to watchers while it holds the lock that
their cancellation needs; here they need no thread, and a watcher that doesn't read delays nobody.
"""

import threading
from collections import Counter
from typing import TypeAlias

import grpc
from grpc_health.v1 import health_pb2

from server.errors import NotLoaded, Overloaded
from server.rpc import plain
from server.rpc.threads.service import Sender
from server.texts import quoted

NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

WATCHERS, WATCHERS_PER_CONNECTION = 1000, 100
"""Watches at the same time; each keeps 20 kB, and a channel needs one."""

RETRY_SECONDS = 1.0

Response: TypeAlias = health_pb2.HealthCheckResponse

_read = plain.reader(health_pb2.HealthCheckRequest)


class Watcher:
    """A call of Watch: the service it asks for, the state sent last and the one to send next.

    To be used under the lock.
    """

    __slots__ = ("_lock", "_sender", "_sent", "_wanted", "is_behind", "peer", "service")

    def __init__(self, service: str, peer: str, sender: Sender, lock: threading.Lock) -> None:
        self.service, self.peer = service, peer
        self.is_behind = False
        self._sender, self._lock = sender, lock
        self._wanted = self._sent = -1

    def tell(self, state: int) -> None:
        """Send a state, or, if an earlier one is still being sent, the newest afterwards."""
        self._wanted = state
        if not self.is_behind and self._sent != state:
            self._sent = state
            self.is_behind = True
            self._sender.send(Response(status=Response.ServingStatus.Name(state)), self._go_on)

    def end(self) -> None:
        """End the call."""
        self._sender.end()

    def _go_on(self) -> None:
        with self._lock:
            self.is_behind = False
            self.tell(self._wanted)


class Health:
    """The grpc.health.v1 state of some services, NOT_SERVING until `set_ready(True)`."""

    def __init__(
        self,
        services: tuple[str, ...],
        watchers: int = WATCHERS,
        per_connection: int = WATCHERS_PER_CONNECTION,
    ) -> None:
        """`watchers` is the maximum number of calls of Watch, `per_connection` that of each
        connection.
        """
        self._states = {"": Response.SERVING} | dict.fromkeys(services, Response.NOT_SERVING)
        self._watchers: dict[grpc.ServicerContext, Watcher] = {}
        self._watching: Counter[str] = Counter()
        self._watchers_limit, self._per_connection = watchers, per_connection
        self._too_many = Overloaded(
            "too_many_watchers",
            f"{watchers} calls of Watch are in progress, the server's maximum; retry later, or "
            "call Check",
            RETRY_SECONDS,
        )
        self._too_many_here = Overloaded(
            "too_many_watchers",
            f"{per_connection} calls of Watch are in progress on this connection, its maximum; "
            "retry later, or call Check",
            RETRY_SECONDS,
        )
        self._lock = threading.Lock()

    def set_ready(self, ready: bool) -> None:
        """Answer SERVING or NOT_SERVING for every service from now on, and tell the watchers."""
        state = Response.SERVING if ready else Response.NOT_SERVING
        with self._lock:
            self._states |= {service: state for service in self._states if service}
            for watcher in self._watchers.values():
                if watcher.service in self._states and watcher.service:
                    watcher.tell(state)

    def end_watches(self) -> None:
        """End the calls of all watchers, which would otherwise outlast any grace period."""
        with self._lock:
            watchers = list(self._watchers.items())
        for context, watcher in watchers:
            # A caller that does not read would delay the end.
            if watcher.is_behind:
                context.cancel()
            else:
                watcher.end()

    def check(self, request: health_pb2.HealthCheckRequest) -> Response:
        """Return the state of a service; raises NotLoaded when there is no such service."""
        state = self._states.get(request.service)
        if state is None:
            known = ", ".join(service for service in self._states if service)
            raise NotLoaded(
                "unknown_service",
                f"service: {quoted(request.service)} is unknown; ask for {known}, or for nothing",
            )
        return Response(status=state)

    def watch(self, message: bytes, context: grpc.ServicerContext, sender: Sender) -> None:
        """Begin a call of Watch, which needs no thread then; raises RequestError."""
        request = _read(message)
        watcher = Watcher(request.service, context.peer(), sender, self._lock)
        with self._lock:
            if len(self._watchers) >= self._watchers_limit:
                raise self._too_many
            if self._watching[watcher.peer] >= self._per_connection:
                raise self._too_many_here
            self._watchers[context] = watcher
            self._watching[watcher.peer] += 1
        if not context.add_callback(lambda: self._forget(context)):
            self._forget(context)
            return
        with self._lock:
            watcher.tell(self._states.get(request.service, Response.SERVICE_UNKNOWN))

    def _forget(self, context: grpc.ServicerContext) -> None:
        with self._lock:
            watcher = self._watchers.pop(context, None)
            if watcher is not None:
                self._watching[watcher.peer] -= 1
                if not self._watching[watcher.peer]:
                    del self._watching[watcher.peer]
