"""Processes may say anything, or nothing: the parent hears what it can and replaces the silent."""

import signal
import struct
from typing import Any

import pytest
from structlog.typing import EventDict

from server.supervisor import process, supervisor
from tests.server.supervisor.supervised import DEADLINE, MakeWorld, World

NONSENSE: list[dict[str, Any]] = [
    {},
    {"event": None},
    {"event": "nonsense"},
    {"event": ["ready"]},
    {"event": "failed"},
    {"event": "metrics"},
    {"event": "metrics", "question": []},
    {"event": "stopped", "calls_started": "many"},
    {"event": "pong", "silent_seconds": "long"},
    {"event": "pong", "silent_seconds": [1]},
    {"event": "ask"},
    {"event": "ask", "of": "nonsense", "question": "1"},
    {"event": "ask", "of": [1], "question": "1"},
    {"event": "ask", "of": 17, "question": "1"},
]


@pytest.mark.parametrize("message", NONSENSE)
def test_messages_that_are_none_end_nothing(make: MakeWorld, message: dict[str, Any]) -> None:
    world = make(2)
    world.serve()
    for fake in (world.workers[0], world.https[0]):
        fake.say(**message)
        fake.say(b"payload", **message)
        fake.end.send(struct.pack(">II", 3, 0) + b"[1]")
        fake.end.send(struct.pack(">II", 3, 2) + b"\xff{{ab")
    world.turn()
    assert world.is_ready()
    assert (len(world.workers), len(world.https)) == (2, 1)
    assert world.workers[0].process.exit_code is None
    # Whoever says nonsense is still heard.
    world.workers[0].exit(-9)
    world.turn()
    assert len(world.workers) == 3


def test_what_is_no_frame_ends_its_process_alone(make: MakeWorld) -> None:
    world = make(2)
    world.serve()
    for fake in (world.workers[0], world.https[0]):
        fake.end.send(b"\xff" * 100)
    world.turn()
    assert [fake.process.exit_code for fake in world.workers[:2]] == [-9, None]
    assert (len(world.workers), len(world.https)) == (3, 2)
    world.serve()
    assert world.is_ready()


def test_a_worker_that_hangs_up_and_stays_is_killed(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    world.workers[0].end.close()
    world.turn()
    codes = [world.workers[0].process.exit_code]
    world.turn(supervisor.END_SECONDS + 0.1)
    world.turn()
    codes.append(world.workers[0].process.exit_code)
    assert codes == [None, DEADLINE]
    assert len(world.workers) == 2


def live(world: World, seconds: float, *, silent_seconds: float | None = None) -> None:
    """Let time pass while everybody answers pings, workers with what they know of themselves."""
    said = {} if silent_seconds is None else {"silent_seconds": silent_seconds}
    for _ in range(int(seconds / 0.5)):
        world.turn(0.5)
        for fake in world.workers:
            if fake.process.exit_code is None and "ping" in fake.orders():
                fake.say(event="pong", **said)
        for fake in world.https:
            if fake.process.exit_code is None and "ping" in fake.orders():
                fake.say(event="pong")
    world.turn()


@pytest.mark.parametrize("silent_seconds", [None, 0.0, 4.9])
def test_signs_of_life_keep_a_worker(make: MakeWorld, silent_seconds: float | None) -> None:
    world = make(2, worker_timeout_seconds=5.0)
    world.serve()
    live(world, 30, silent_seconds=silent_seconds)
    assert (len(world.workers), len(world.https)) == (2, 1)


@pytest.mark.parametrize("silent_seconds", [5.1, 1e300, float("inf")])
def test_a_part_that_makes_no_progress_costs_the_worker_its_place(
    make: MakeWorld, logged: list[EventDict], silent_seconds: float
) -> None:
    world = make(1, worker_timeout_seconds=5.0)
    world.serve()
    live(world, 3, silent_seconds=silent_seconds)
    (ended,) = (line for line in logged if line["event"] == "worker ended")
    assert ended["reason"] == "hung"
    assert not world.is_ready()


def test_no_number_is_no_sign_of_life(make: MakeWorld) -> None:
    world = make(1, worker_timeout_seconds=5.0)
    world.serve()
    live(world, 3, silent_seconds=float("nan"))
    assert len(world.workers) == 1
    live(world, 4, silent_seconds=float("nan"))
    assert len(world.workers) == 2


def test_who_answers_no_ping_is_replaced_and_others_stay(make: MakeWorld) -> None:
    world = make(2, worker_timeout_seconds=5.0)
    world.serve()
    for _ in range(14):
        world.turn(0.5)
        if "ping" in world.workers[1].orders():
            world.workers[1].say(event="pong")
    codes = [fake.process.exit_code for fake in world.workers[:2]]
    assert codes == [-9, None]
    assert world.https[0].process.exit_code == -9
    assert world.is_ready()


def test_http_has_longer_for_its_start(make: MakeWorld) -> None:
    world = make(1, worker_timeout_seconds=1.0)
    for _ in range(20):
        world.turn(0.9)
    assert len(world.https) == 1
    for _ in range(20):
        world.turn(0.9)
    assert world.https[0].process.exit_code == -9
    assert world.workers[0].process.exit_code is None, "a worker may load for long"


def test_a_parent_that_was_stopped_itself_blames_nobody(make: MakeWorld) -> None:
    world = make(2, worker_timeout_seconds=5.0)
    world.serve()
    world.turn(1.1)
    world.turn(3600)
    assert world.is_ready()
    live(world, 6)
    assert (len(world.workers), len(world.https)) == (2, 1)


def test_a_worker_that_reads_nothing_is_replaced(
    make: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_WAITING_BYTES", 1000)
    world = make(2)
    world.serve()
    while not world.workers[0].child.control.waiting_bytes:
        world.signals.send(signal.SIGHUP)
        world.workers[1].messages()
        world.turn()
    for _ in range(100):
        world.signals.send(signal.SIGHUP)
        world.workers[1].messages()
        world.turn()
    assert [fake.process.exit_code for fake in world.workers[:2]] == [-9, None]
    assert world.is_ready()


def test_orders_that_wait_are_sent_when_there_is_room(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    worker = world.workers[0]
    while not worker.child.control.waiting_bytes:
        worker.child.control.send(do="reload")
    before = len(worker.orders())
    world.turn()
    assert worker.orders()
    assert before
    assert worker.child.control.waiting_bytes == 0


def test_a_process_is_told_what_it_is_to_know() -> None:
    child = process.start("this", 3, first="word")
    try:
        assert child.process.pid > 0
    finally:
        child.process.wait()
        child.control.close()
