"""Errors of the parent itself, wherever they come up, end nothing but what they are about."""

import selectors
import signal
from collections.abc import Callable
from typing import Any

import pytest

from server.supervisor import crew, front, supervisor
from server.supervisor.control import Link
from server.supervisor.crew import Crew
from server.supervisor.front import Front
from tests.server.supervisor.supervised import FakeProcess, FakeSignals, MakeWorld, World


class Angry:
    """A log that fails, as one does whose reader is gone."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        def fail(*_arguments: object, **_more: object) -> None:
            raise BrokenPipeError

        return fail


def test_a_log_that_fails_ends_nothing(make: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(2)
    for module in (supervisor, crew, front):
        monkeypatch.setattr(module, "log", Angry())
    world.serve()
    assert world.is_ready()
    for fake in (world.workers[0], world.https[0]):
        fake.exit(-9)
    world.turn()
    world.workers[1].say(event="nonsense")
    world.turn(1)
    assert (len(world.workers), len(world.https)) == (3, 2)
    world.serve()
    for number in (signal.SIGHUP, signal.SIGUSR2):
        world.signals.send(number)
        world.turn()
    monkeypatch.undo()
    monkeypatch.setattr(supervisor, "TICK_SECONDS", 0)
    assert "reload" in world.workers[1].orders()
    world.signals.send(signal.SIGTERM)
    world.run_with_obedient_workers()


@pytest.mark.parametrize("error", [RuntimeError("?"), MemoryError(), ValueError()])
def test_errors_that_nobody_expects_end_nothing(make: MakeWorld, error: Exception) -> None:
    world = make(2)
    world.serve()
    world.start_error = error
    for fake in (world.workers[0], world.https[0]):
        fake.exit(-9)
    for _ in range(3):
        world.turn(1)
    world.start_error = None
    world.turn(1)
    assert (len(world.workers), len(world.https)) == (3, 2)
    world.serve()
    assert world.is_ready()


@pytest.mark.parametrize("part", ["poll", "kill"])
def test_a_process_that_can_not_be_asked_hinders_no_other(
    make: MakeWorld, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    world = make(2, worker_timeout_seconds=5.0)
    world.serve()

    def fail() -> None:
        raise PermissionError

    monkeypatch.setattr(world.workers[0].process, part, fail)
    for _ in range(20):
        world.turn(0.5)
    assert world.workers[1].process.exit_code == -9
    assert len(world.workers) == 3


def test_an_end_of_the_loop_still_drains(make: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(2, drain_delay_seconds=0.0)
    world.serve()

    def fail() -> None:
        raise RuntimeError("nobody knows why")

    monkeypatch.setattr(world.supervisor, "turn", fail)
    orders: list[list[str]] = []

    def end(_timeout: float | None = None) -> int:
        for fake in world.workers:
            orders.append(fake.orders())
            fake.process.exit_code = 0
        return 0

    for fake in world.workers:
        monkeypatch.setattr(fake.process, "wait", end)
    with pytest.raises(RuntimeError, match="nobody knows why"):
        world.supervisor.run()
    assert orders[:2] == [["drain", "stop"]] * 2


PLACES: list[tuple[type[Any], str]] = [
    (Crew, "on_message"),
    (Crew, "on_end"),
    (Crew, "tend"),
    (Crew, "reload"),
    (Crew, "roll"),
    (Crew, "ask_metrics"),
    (Front, "on_message"),
    (Front, "on_end"),
    (Front, "tend"),
    (Front, "answer"),
    (Link, "send"),
    (Link, "flush"),
    (Link, "receive"),
    (FakeSignals, "take"),
    (FakeProcess, "poll"),
    (selectors.DefaultSelector, "register"),
]


@pytest.mark.parametrize(("owner", "method"), PLACES)
def test_an_error_in_any_place_is_survived(
    make: MakeWorld, monkeypatch: pytest.MonkeyPatch, owner: type[Any], method: str
) -> None:
    works = getattr(owner, method)
    worlds: list[World] = []
    failed: list[object] = []

    def fail_once(self: object, *arguments: Any, **more: Any) -> Any:
        for world in worlds if not failed else ():
            if self not in [fake.link for fake in (*world.workers, *world.https)]:
                failed.append(self)
                raise RuntimeError("nobody knows why")
        return works(self, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(owner, method, fail_once)
        world = make(2)
        world.serve()
        worlds.append(world)
        for number in (signal.SIGHUP, signal.SIGUSR2):
            world.signals.send(number)
            world.turn()
        world.https[-1].say(event="ask", of=1, question="metrics")
        world.turn()
        world.workers[1].say(b"page", event="metrics", question="metrics")
        world.workers[0].exit(-9)
        world.turn(1)
        world.https[-1].exit(-9)
        world.turn(1)
    assert failed, "this place was never reached"
    # Time for what has to be restarted, and for processes that a torn message has confused.
    for _ in range(10):
        world.turn(1)
        for fake in (*world.workers, *world.https):
            if fake.process.exit_code is None:
                fake.ready()
                fake.say(event="pong")
                if "stop" in fake.orders():
                    fake.exit(0)
    assert world.is_ready()
    world.signals.send(signal.SIGTERM)
    world.run_with_obedient_workers()
    assert all(fake.process.exit_code is not None for fake in (*world.workers, *world.https))
