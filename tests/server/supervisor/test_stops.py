"""A stop is in order and complete, in whatever state it finds the server."""

import signal
from collections.abc import Callable

import pytest
from structlog.typing import EventDict

from server.supervisor import slot
from tests.server.supervisor.states import STATES, roll
from tests.server.supervisor.supervised import DEADLINE, MakeWorld, World, events


def test_a_stop_drains_first(make: MakeWorld, logged: list[EventDict]) -> None:
    world = make(2, drain_delay_seconds=2.0)
    world.serve()
    told: list[tuple[float, str]] = []
    begin = world.now
    world.step = 0.05
    world.signals.send(signal.SIGTERM)

    def obey() -> None:
        for fake in world.workers:
            for order in fake.orders() if fake.process.exit_code is None else ():
                told.append((world.now - begin, order))
                if order == "stop" and fake.process.exit_code is None:
                    fake.say(event="stopped", calls_started=3, calls_handled=3)
                    fake.exit(0)
        for http in world.https:
            if http.process.exit_code is None and "stop" in http.orders():
                assert all(fake.process.exit_code == 0 for fake in world.workers)
                http.exit(0)

    world.on_clock = obey
    world.supervisor.run()
    drains, stops = ([t for t, order in told if order == what] for what in ("drain", "stop"))
    assert len(drains) == len(stops) == 2
    assert min(stops) - max(drains) >= 1.8
    assert logged[-1]["event"] == "stopped"
    assert (logged[-1]["calls_started"], logged[-1]["calls_handled"]) == (6, 6)


def test_a_second_signal_cuts_the_drain_short(make: MakeWorld) -> None:
    world = make(1, drain_delay_seconds=600.0)
    world.serve()
    for _ in range(2):
        world.signals.send(signal.SIGTERM)
    begin = world.now
    world.run_with_obedient_workers()
    assert world.now - begin < 60


def test_a_worker_that_does_not_stop_is_killed_in_the_end(make: MakeWorld) -> None:
    world = make(1, drain_delay_seconds=0.0, stop_grace_seconds=1.0)
    world.serve()
    world.signals.send(signal.SIGTERM)
    world.step = 0.05
    world.supervisor.run()
    assert world.workers[0].process.exit_code == DEADLINE
    assert world.https[0].process.exit_code == DEADLINE


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("signals", [1, 2, 5])
def test_a_stop_ends_the_server_in_every_state(
    make: MakeWorld, logged: list[EventDict], state: Callable[[World], None], signals: int
) -> None:
    world = make(2)
    state(world)
    for _ in range(signals):
        world.signals.send(signal.SIGTERM)
    world.run_with_obedient_workers()
    assert events(logged)[-1] == "stopped"
    for fake in (*world.workers, *world.https):
        assert fake.process.exit_code is not None


@pytest.mark.parametrize("state", STATES)
def test_all_processes_may_end_in_every_state(
    make: MakeWorld, state: Callable[[World], None]
) -> None:
    world = make(2)
    state(world)
    world.start_error = None
    for fake in (*world.workers, *world.https):
        if fake.process.exit_code is None:
            fake.exit(-11)
    for _ in range(3):
        world.turn(slot.MAX_BACKOFF_SECONDS)
    assert not world.is_ready()
    for fake in (*world.workers, *world.https):
        if fake.process.exit_code is None:
            fake.ready()
    world.turn()
    assert world.is_ready()
    alive = [fake.child.number for fake in world.workers if fake.process.exit_code is None]
    assert sorted(alive) == [0, 1]


def drain(world: World, during: Callable[[], None]) -> None:
    """Stop, and have `during` called once in the middle of the drain."""
    world.step, begin, steps = 0.05, world.now, [during]
    world.signals.send(signal.SIGTERM)

    def obey() -> None:
        if steps and world.now > begin + 1:
            steps.pop()()
        for fake in (*world.workers, *world.https):
            if fake.process.exit_code is None and "stop" in fake.orders():
                fake.exit(0)

    world.on_clock = obey
    world.supervisor.run()
    assert not steps


def test_no_worker_is_replaced_during_a_drain(make: MakeWorld, logged: list[EventDict]) -> None:
    world = make(2, drain_delay_seconds=2.0)
    world.serve()
    drain(world, lambda: world.workers[0].exit(-9))
    assert len(world.workers) == 2
    assert events(logged)[-1] == "stopped"


def test_http_that_ends_during_a_drain_is_replaced(make: MakeWorld) -> None:
    world = make(1, drain_delay_seconds=2.0)
    world.serve()
    drain(world, lambda: world.https[0].exit(-9))
    assert [http.process.exit_code for http in world.https] == [-9, 0]


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGHUP])
def test_other_signals_during_a_drain_start_nothing(
    make: MakeWorld, logged: list[EventDict], number: signal.Signals
) -> None:
    world = make(2, drain_delay_seconds=2.0)
    world.serve()

    def send_twice() -> None:
        for _ in range(2):
            world.signals.send(number)

    drain(world, send_twice)
    assert len(world.workers) == 2
    assert "rolling restart" not in events(logged)


def test_a_successor_that_gets_ready_during_a_drain_ends_as_well(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(1, drain_delay_seconds=2.0)
    roll(world)
    drain(world, world.workers[-1].ready)
    assert [fake.process.exit_code for fake in world.workers] == [0, 0]
    assert "rolling restart done" not in events(logged)


def test_a_worker_that_still_loads_holds_up_no_stop(make: MakeWorld) -> None:
    world = make(2, drain_delay_seconds=0.0)
    world.workers[0].ready()
    world.turn()
    world.signals.send(signal.SIGTERM)
    world.run_with_obedient_workers()
    assert [fake.process.exit_code for fake in world.workers] == [0, -signal.SIGKILL]


def test_a_stop_during_the_start_does_not_drain(make: MakeWorld) -> None:
    world = make(1, drain_delay_seconds=600.0)
    begin = world.now
    world.signals.send(signal.SIGTERM)
    world.run_with_obedient_workers()
    assert world.now - begin < 60
