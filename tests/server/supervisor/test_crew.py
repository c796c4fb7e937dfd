"""Workers start, are restarted with growing pauses, and are replaced one by one."""

import signal
from collections.abc import Callable

import pytest
from structlog.typing import EventDict

from server.errors import StartupError
from server.supervisor import slot
from tests.server.supervisor.states import make_room, roll
from tests.server.supervisor.supervised import Fake, MakeWorld, World, events


def test_serving_is_told_once_all_answer(make: MakeWorld, logged: list[EventDict]) -> None:
    world = make(2)
    assert not world.is_ready()
    world.workers[0].ready()
    assert world.is_ready()
    assert "serving" not in events(logged)
    world.workers[1].ready()
    world.turn()
    assert events(logged).count("serving") == 1


def fail_to_start(world: World, fake: Fake) -> None:
    """Be killed while starting."""
    fake.exit(-9)


def tell_failure(world: World, fake: Fake) -> None:
    """Tell why it can't start."""
    fake.say(event="failed", error="no model")
    fake.exit(1)


@pytest.mark.parametrize("fail", [fail_to_start, tell_failure])
def test_it_goes_on_with_those_that_serve(
    make: MakeWorld, logged: list[EventDict], fail: Callable[[World, Fake], None]
) -> None:
    world = make(2)
    world.workers[0].ready()
    world.turn()
    pauses = []
    for _ in range(20):
        fail(world, world.workers[-1])
        world.turn()
        ended = [line for line in logged if line["event"] == "worker ended"]
        pauses.append(ended[-1]["restart_seconds"])
        if pauses[-1]:
            world.turn(pauses[-1] - 0.01)
            before = len(world.workers)
            world.turn()
            assert len(world.workers) == before, "it is too soon"
        world.turn(0.02)
        world.workers[0].say(event="pong")
        world.https[0].say(event="pong")
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == slot.MAX_BACKOFF_SECONDS
    assert world.is_ready()
    assert "serving" in events(logged), "whoever waits for it need not wait for the one that fails"
    world.workers[-1].ready()
    world.turn()
    assert events(logged)[-1] == "worker ready"


def test_it_gives_up_when_none_has_ever_served(make: MakeWorld) -> None:
    world = make(1)
    for _ in range(slot.MAX_FAILED_STARTS - 1):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(slot.MAX_BACKOFF_SECONDS)
    assert len(world.workers) == slot.MAX_FAILED_STARTS
    world.workers[-1].exit(-9)
    with pytest.raises(StartupError, match="5 times in a row; the last error: it ended with"):
        world.turn()


def test_it_waits_for_one_that_still_starts(make: MakeWorld) -> None:
    world = make(2)
    for _ in range(3 * slot.MAX_FAILED_STARTS):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(slot.MAX_BACKOFF_SECONDS)
    world.workers[0].ready()
    assert world.is_ready()


def test_it_does_not_give_up_once_one_has_served(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    for _ in range(3 * slot.MAX_FAILED_STARTS):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(slot.MAX_BACKOFF_SECONDS)
    assert not world.is_ready()
    world.workers[-1].ready()
    assert world.is_ready()


def test_what_a_worker_says_at_the_first_start_ends_the_server(make: MakeWorld) -> None:
    world = make(2)
    tell_failure(world, world.workers[1])
    with pytest.raises(StartupError, match="no model"):
        world.turn()


@pytest.mark.parametrize("has_served", [True, False])
def test_processes_that_can_not_be_started(make: MakeWorld, has_served: bool) -> None:
    world = make(1)
    if has_served:
        world.serve()
    world.start_error = OSError(11, "Resource temporarily unavailable")
    for fake in (world.workers[0], world.https[0]):
        fake.exit(-9)

    def wait() -> None:
        for _ in range(3 * slot.MAX_FAILED_STARTS):
            world.turn(slot.MAX_BACKOFF_SECONDS)

    if not has_served:
        with pytest.raises(StartupError, match="can't start a process: Resource temporarily"):
            wait()
        return
    wait()
    world.start_error = None
    world.turn(slot.MAX_BACKOFF_SECONDS)
    world.serve()
    assert world.is_ready()


def test_a_rolling_restart_replaces_one_after_the_other(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(2)
    world.serve()
    world.signals.send(signal.SIGUSR2)
    for old in (0, 1):
        world.turn()
        assert len(world.workers) == 3 + old
        world.workers[-1].ready()
        world.turn()
        assert "stop" in world.workers[old].orders()
        world.workers[old].exit(0)
        world.turn()
    assert events(logged)[-1] == "rolling restart done"
    assert world.is_ready()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_successor_that_needs_room_gets_it(
    make: MakeWorld, logged: list[EventDict], is_first: bool
) -> None:
    world = make(1)
    make_room(world)
    old, new = world.workers
    assert "stop" in old.orders()
    assert not world.is_ready()
    steps = [lambda: old.exit(0), new.ready]
    for step in steps if is_first else reversed(steps):
        step()
        world.turn()
    assert events(logged).count("rolling restart done") == 1
    assert world.is_ready()
    assert len(world.workers) == 2


def test_a_successor_that_fails_after_it_got_room_is_replaced(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(1)
    make_room(world)
    world.workers[0].exit(0)
    world.workers[1].exit(-9)
    world.turn()
    world.turn(1)
    assert len(world.workers) == 3
    world.workers[2].ready()
    assert world.is_ready()
    assert "rolling restart done" not in events(logged)


def test_a_predecessor_that_ends_too_soon_leaves_its_place_to_the_successor(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(1)
    roll(world)
    world.workers[0].exit(-9)
    world.turn()
    world.turn(1)
    assert len(world.workers) == 2
    world.workers[1].ready()
    assert world.is_ready()
    assert events(logged).count("rolling restart done") == 1


def test_what_cost_a_worker_its_life_is_not_loaded_by_itself_again(make: MakeWorld) -> None:
    file = ["digits", 2, [1, 2, 3, 4]]
    world = make(2)
    world.serve()
    world.workers[0].say(event="loading", file=file)
    world.turn()
    world.workers[0].exit(-9)
    world.turn()
    world.turn()
    assert world.crashed == [file]
    # Whoever asks for a reload wants it tried again.
    world.signals.send(signal.SIGHUP)
    world.turn()
    world.workers[1].exit(-9)
    world.turn()
    world.turn()
    assert world.crashed == []


def test_a_worker_that_ends_after_it_has_loaded_condemns_no_file(make: MakeWorld) -> None:
    world = make(2)
    world.serve()
    world.workers[0].say(event="loading", file=["digits", 2, [1, 2, 3, 4]])
    world.workers[0].say(event="loading", file=None)
    world.turn()
    world.workers[0].exit(-9)
    world.turn()
    world.turn()
    assert world.crashed == []


def test_two_signals_at_once_are_one_rolling_restart(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(2)
    world.serve()
    for _ in range(2):
        world.signals.send(signal.SIGUSR2)
    replace_all(world)
    assert len(world.workers) == 4
    assert events(logged).count("rolling restart done") == 1


def test_a_signal_during_a_rolling_restart_begins_it_anew(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(2)
    roll(world)
    world.workers[-1].ready()
    world.turn()
    world.signals.send(signal.SIGUSR2)
    replace_all(world)
    # What was replaced before the signal is replaced once more.
    assert len(world.workers) == 5
    assert events(logged).count("rolling restart done") == 1
    assert world.is_ready()


def replace_all(world: World) -> None:
    """Have successors be ready and predecessors end until no more are started."""
    for _ in range(10):
        world.turn()
        for fake in world.workers:
            if fake.process.exit_code is None:
                fake.ready()
                if "stop" in fake.orders():
                    fake.exit(0)


def test_each_signal_to_reload_reaches_every_worker(make: MakeWorld) -> None:
    world = make(2)
    world.serve()
    for _ in range(2):
        world.signals.send(signal.SIGHUP)
    world.turn()
    assert [fake.orders().count("reload") for fake in world.workers] == [2, 2]


def test_a_reload_that_a_caller_asks_for_is_asked_of_those_that_serve(make: MakeWorld) -> None:
    world = make(3)
    for fake in world.workers[:2]:
        fake.ready()
    world.turn()
    asked = {"subject": "reload", "of": "", "seconds": 1.0}
    world.workers[1].say(event="ask_all", question="q", **asked)
    world.turn()
    assert [fake.orders() for fake in world.workers] == [["ask"], ["ask"], ["reload"]]
