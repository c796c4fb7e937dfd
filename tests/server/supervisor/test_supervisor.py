"""The parent goes on whatever its processes say, do, or fail to do, and always ends in order."""

import signal
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.errors import StartupError
from server.supervisor import crew, front, process, slot, supervisor
from tests.server.supervisor.supervised import Fake, World

MakeWorld = Callable[..., World]
DEADLINE = -signal.SIGKILL


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]) -> Iterator[MakeWorld]:
    monkeypatch.setattr(supervisor, "TICK_SECONDS", 0)
    made = []

    def make(*arguments: Any, **settings: Any) -> World:
        made.append(World(*arguments, **settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]


def is_ready(world: World) -> bool:
    """Ask the parent as HTTP's process does."""
    http = world.https[-1]
    if "ping" in http.orders():
        http.say(event="pong")
    http.say(event="ask", of="state", question="ready")
    world.turn()
    (answer,) = (message for message in http.messages() if message.get("question") == "ready")
    return bool(answer["is_ready"])


def test_serving_is_told_once_all_answer(make: MakeWorld, logged: list[EventDict]) -> None:
    world = make(2)
    assert not is_ready(world)
    world.workers[0].ready()
    assert is_ready(world)
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
    assert is_ready(world)
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
    with pytest.raises(StartupError, match="5 times in a row; the last time: it ended with signal"):
        world.turn()


def test_it_waits_for_one_that_still_starts(make: MakeWorld) -> None:
    world = make(2)
    for _ in range(3 * slot.MAX_FAILED_STARTS):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(slot.MAX_BACKOFF_SECONDS)
    world.workers[0].ready()
    assert is_ready(world)


def test_it_does_not_give_up_once_one_has_served(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    for _ in range(3 * slot.MAX_FAILED_STARTS):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(slot.MAX_BACKOFF_SECONDS)
    assert not is_ready(world)
    world.workers[-1].ready()
    assert is_ready(world)


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
    assert is_ready(world)


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
    assert is_ready(world)
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
    assert is_ready(world)


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
    assert not is_ready(world)


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
    assert is_ready(world)


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
    assert is_ready(world)
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
    assert is_ready(world)


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
    assert is_ready(world)
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
    assert is_ready(world)


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


def start_up(world: World) -> None:
    """Nobody is ready."""


def serve(world: World) -> None:
    """All are."""
    world.serve()


def roll(world: World) -> None:
    """A successor starts."""
    world.serve()
    before = len(world.workers)
    world.signals.send(signal.SIGUSR2)
    world.turn()
    assert len(world.workers) == before + 1


def let_go(world: World) -> None:
    """A successor is ready, and its predecessor ends."""
    roll(world)
    world.workers[-1].ready()
    world.turn()


def make_room(world: World) -> None:
    """A predecessor ends before its successor is ready."""
    roll(world)
    world.workers[-1].say(event="takes_over")
    world.turn()


def wait_for_restart(world: World) -> None:
    """All workers have ended and are to be started later, and HTTP's process too."""
    world.serve()
    world.start_error = OSError(11, "Resource temporarily unavailable")
    for fake in (*world.workers, *world.https):
        fake.exit(-9)
    world.turn()
    world.turn(1)


def hang(world: World) -> None:
    """All are silent for longer than they may be."""
    world.serve()
    for _ in range(200):
        world.turn(0.9)
        if world.workers[0].process.exit_code is not None:
            return


STATES = [start_up, serve, roll, let_go, make_room, wait_for_restart, hang]


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
    assert not is_ready(world)
    for fake in (*world.workers, *world.https):
        if fake.process.exit_code is None:
            fake.ready()
    world.turn()
    assert is_ready(world)
    alive = [fake.child.number for fake in world.workers if fake.process.exit_code is None]
    assert sorted(alive) == [0, 1]


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
    assert is_ready(world)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_successor_that_needs_room_gets_it(
    make: MakeWorld, logged: list[EventDict], is_first: bool
) -> None:
    world = make(1)
    make_room(world)
    old, new = world.workers
    assert "stop" in old.orders()
    assert not is_ready(world)
    steps = [lambda: old.exit(0), new.ready]
    for step in steps if is_first else reversed(steps):
        step()
        world.turn()
    assert events(logged).count("rolling restart done") == 1
    assert is_ready(world)
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
    assert is_ready(world)
    assert "rolling restart done" not in events(logged)


def test_a_predecessor_that_ends_too_soon_leaves_its_place_to_the_successor(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(1)
    roll_one(world)
    world.workers[0].exit(-9)
    world.turn()
    world.turn(1)
    assert len(world.workers) == 2
    world.workers[1].ready()
    assert is_ready(world)
    assert events(logged).count("rolling restart done") == 1


def roll_one(world: World) -> None:
    world.serve()
    world.signals.send(signal.SIGUSR2)
    world.turn()


def test_http_is_told_what_workers_count(make: MakeWorld) -> None:
    world = make(2)
    world.workers[0].ready()
    world.https[0].ready()
    world.turn()
    http = world.https[0]
    http.messages()
    for number in (0, 1, 17):
        http.say(event="ask", of=number, question=f"q{number}")
    http.say(event="ask", of="parent", question="p")
    world.turn()
    told = {message["question"]: message for message in http.messages() if "question" in message}
    assert told["q1"]["is_missing"]
    assert told["q17"]["is_missing"]
    assert (told["p"]["workers"], told["p"]["ready"]) == ([0, 1], [0])
    assert told["p"]["restarts"] == dict.fromkeys(crew.RESTART_REASONS, 0)
    assert told["p"]["http_restarts"] == dict.fromkeys(front.RESTART_REASONS, 0)
    assert told["p"]["lines_lost"] == 0
    (asked,) = (m for m in world.workers[0].messages() if m["do"] == "metrics")
    world.workers[0].say(b"a", b"bc", event="metrics", question=asked["question"])
    world.turn()
    (answer,) = http.messages()
    assert (answer["question"], answer["payload"]) == ("q0", b"abc")


def test_http_is_told_when_a_worker_takes_its_answer_along(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    http = world.https[0]
    http.say(event="ask", of=0, question="q")
    world.turn()
    world.workers[0].exit(-9)
    world.turn()
    assert [m["is_missing"] for m in http.messages() if m["do"] == "answer"] == [True]


def test_what_http_does_not_read_is_bounded(
    make: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "MAX_WAITING_BYTES", 10_000_000)
    world = make(1)
    world.serve()
    waiting = world.https[0].child.control
    for number in range(30):
        world.https[0].say(event="ask", of=0, question=str(number))
        world.turn()
        world.workers[0].say(bytes(1_000_000), event="metrics", question=str(number))
        while world.workers[0].link.waiting_bytes:
            world.turn()
            world.workers[0].link.flush()
        world.turn()
    assert 5_000_000 < waiting.waiting_bytes < 11_000_000
    answers = [m for m in read_all(world) if m["do"] == "answer"]
    assert [m["question"] for m in answers] == [str(number) for number in range(30)]
    assert {"payload" in m for m in answers} == {True, False}


def read_all(world: World) -> list[dict[str, Any]]:
    found = world.https[0].messages()
    while world.https[0].child.control.waiting_bytes:
        world.turn()
        found += world.https[0].messages()
    return found


def test_answers_to_a_process_that_is_gone_go_nowhere(make: MakeWorld) -> None:
    world = make(1)
    world.serve()
    world.https[0].say(event="ask", of=0, question="old")
    world.turn()
    world.start_error = OSError(11, "Resource temporarily unavailable")
    world.https[0].exit(-9)
    world.turn()
    world.workers[0].say(b"late", event="metrics", question="old")
    world.turn()
    assert world.workers[0].process.exit_code is None


def test_http_that_fails_at_every_start_ends_nothing(
    make: MakeWorld, logged: list[EventDict]
) -> None:
    world = make(1)
    world.serve()
    for _ in range(12):
        world.https[-1].exit(1)
        world.turn()
        pause = logged[-1]["restart_seconds"]
        world.turn(pause + 0.01)
        world.workers[0].say(event="pong")
    assert len(world.https) == 13
    assert pause == slot.MAX_BACKOFF_SECONDS
    assert world.workers[0].process.exit_code is None


def test_a_process_is_told_what_it_is_to_know() -> None:
    child = process.start("this", 3, first="word")
    try:
        assert child.process.pid > 0
    finally:
        child.process.wait()
        child.control.close()


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
