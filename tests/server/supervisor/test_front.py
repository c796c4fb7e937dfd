"""HTTP's process is told what it asks for, and replaced when it ends."""

from typing import Any

import pytest
from structlog.typing import EventDict

from server.reasons.processes import ENDS, RESTARTS
from server.supervisor import front, slot
from tests.server.supervisor.supervised import MakeWorld, World


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
    assert told["p"]["restarts"] == dict.fromkeys(RESTARTS, 0)
    assert told["p"]["http_restarts"] == dict.fromkeys(ENDS, 0)
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


def test_why_it_could_not_start_is_said(make: MakeWorld, logged: list[EventDict]) -> None:
    world = make(1)
    world.serve()
    world.https[0].say(event="failed", error="the certificate can't be used")
    world.https[0].exit(1)
    world.turn()
    (line,) = (line for line in logged if line["event"] == "HTTP's process ended")
    assert (line["reason"], line["error"]) == ("failed", "the certificate can't be used")
