"""The watches of health: how many there may be, and what each is told."""

from collections.abc import Callable
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from server.errors import Overloaded
from server.rpc.health import Health
from server.rpc.threads.service import Sender

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Caller:
    """A call of Watch, as grpcio shows it, whose news leave when the test says so."""

    def __init__(self, health: Health, peer: str) -> None:
        self._peer = peer
        self.seen: list[int] = []
        self.left: list[Callable[[], None]] = []
        self.is_over = False
        self._callbacks: list[Callable[[], None]] = []
        message = health_pb2.HealthCheckRequest(service="s").SerializeToString()
        context: Any = self
        health.watch(message, context, Sender(self._send, self.leave))

    def peer(self) -> str:
        return self._peer

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callbacks.append(callback)
        return True

    def cancel(self) -> None:
        self.leave()

    def leave(self) -> None:
        self.is_over = True
        for callback in self._callbacks:
            callback()

    def _send(self, response: Any, on_left: Callable[[], None]) -> None:
        self.seen.append(response.status)
        self.left.append(on_left)


def test_watches_are_bounded_in_all_and_by_connection() -> None:
    health = Health(("s",), watchers=3, per_connection=2)
    first = Caller(health, "a")
    Caller(health, "a")
    with pytest.raises(Overloaded, match="2 calls of Watch are in progress on this connection"):
        Caller(health, "a")
    Caller(health, "b")
    with pytest.raises(Overloaded, match="3 calls of Watch are in progress, the server's maximum"):
        Caller(health, "c")
    first.leave()
    Caller(health, "c")
    with pytest.raises(Overloaded):
        Caller(health, "a")


def test_watchers_are_told_in_order_and_only_the_newest() -> None:
    health = Health(("s",))
    quick, slow = Caller(health, "a"), Caller(health, "b")
    quick.left.pop()()
    for ready in (True, False, True):
        health.set_ready(ready)
        quick.left.pop()()
    assert quick.seen == [NOT_SERVING, SERVING, NOT_SERVING, SERVING]
    assert slow.seen == [NOT_SERVING]
    slow.left.pop()()
    assert slow.seen == [NOT_SERVING, SERVING]
    slow.left.pop()()
    assert not slow.left


def test_end_of_all_watches() -> None:
    health = Health(("s",))
    quick, slow = Caller(health, "a"), Caller(health, "b")
    quick.left.pop()()
    health.end_watches()
    assert quick.is_over
    assert slow.is_over
