"""A worker asks all workers through the parent, whatever becomes of any of them meanwhile."""

import signal
import threading
from typing import Any

import pytest
from structlog.typing import EventDict

from harness.waiting import wait_for
from server.supervisor import polls
from server.supervisor.control import Message
from server.supervisor.peers import PARENT_SECONDS, Answers, Peers
from tests.server.supervisor.states import let_go, roll
from tests.server.supervisor.supervised import Fake, MakeWorld, World, events

SECONDS = 3.0


def ask(fake: Fake, question: str = "q", subject: str = "statistics", of: str = "") -> None:
    fake.say(event="ask_all", question=question, subject=subject, of=of, seconds=SECONDS)


def asked(fake: Fake) -> list[Message]:
    return [message for message in fake.messages() if message["do"] == "ask"]


def tell(fake: Fake, message: Message, answer: bytes) -> None:
    fake.say(answer, event="told", question=message["question"])


def answers(fake: Fake) -> dict[str, list[tuple[int, bytes | None]]]:
    """The answers to each question that a worker has got, as it reads them."""
    found: dict[str, list[tuple[int, bytes | None]]] = {}
    for message in fake.messages():
        if message["do"] == "answers":
            payload, found[message["question"]] = message.get("payload", b""), []
            for number, size in message["sizes"]:
                answer, payload = payload[: size or 0], payload[size or 0 :]
                found[message["question"]].append((number, None if size is None else answer))
            assert not payload
    return found


def serving(make: MakeWorld, number: int = 3) -> World:
    world = make(number)
    world.serve()
    for fake in world.workers:
        fake.messages()
    return world


def test_all_are_asked_and_their_answers_come_back_together(make: MakeWorld) -> None:
    world = serving(make)
    ask(world.workers[1], of="digits")
    world.turn()
    for fake, (message,) in [(fake, asked(fake)) for fake in reversed(world.workers)]:
        assert (message["subject"], message["of"]) == ("statistics", "digits")
        assert not answers(world.workers[1]), "somebody's answer is still missing"
        tell(fake, message, b"" if fake.child.number == 1 else f"of {fake.child.number}".encode())
        world.turn()
    assert answers(world.workers[1]) == {"q": [(0, b"of 0"), (1, b""), (2, b"of 2")]}
    assert not any(answers(world.workers[number]) for number in (0, 2))


def test_two_questions_at_once_have_each_their_own_answers(make: MakeWorld) -> None:
    world = serving(make, 2)
    one, two = world.workers
    ask(one)
    ask(two)
    ask(two, "other")
    world.turn()
    for fake in (one, two):
        for index, message in enumerate(asked(fake)):
            tell(fake, message, f"{fake.child.number}{index}".encode())
    world.turn()
    assert answers(one) == {"q": [(0, b"00"), (1, b"10")]}
    assert answers(two) == {
        "q": [(0, b"01"), (1, b"11")],
        "other": [(0, b"02"), (1, b"12")],
    }


def test_a_worker_that_ends_is_left_out(make: MakeWorld) -> None:
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    tell(world.workers[0], asked(world.workers[0])[0], b"mine")
    world.turn()
    world.workers[1].exit(-9)
    world.turn()
    assert answers(world.workers[0]) == {"q": [(0, b"mine")]}


def test_what_a_worker_has_said_before_it_ended_counts(make: MakeWorld) -> None:
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    tell(world.workers[1], asked(world.workers[1])[0], b"last words")
    world.workers[1].exit(0)
    world.turn()
    tell(world.workers[0], asked(world.workers[0])[0], b"mine")
    world.turn()
    assert answers(world.workers[0]) == {"q": [(0, b"mine"), (1, b"last words")]}


def test_who_asks_may_end(make: MakeWorld, logged: list[EventDict]) -> None:
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    (message,) = asked(world.workers[1])
    world.workers[0].exit(-9)
    world.turn()
    tell(world.workers[1], message, b"too late")
    world.turn(SECONDS + 1)
    assert not answers(world.workers[1])
    assert not any("error" in event for event in events(logged))


def test_a_worker_that_does_not_answer_is_named_once_the_time_is_over(make: MakeWorld) -> None:
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    (message,) = asked(world.workers[1])
    tell(world.workers[0], asked(world.workers[0])[0], b"mine")
    world.turn(SECONDS)
    assert not answers(world.workers[0])
    world.turn(0.1)
    assert answers(world.workers[0]) == {"q": [(0, b"mine"), (1, None)]}
    tell(world.workers[1], message, b"too late")
    world.turn(SECONDS)
    assert not answers(world.workers[0])


def test_a_worker_may_say_that_it_has_no_answer(make: MakeWorld) -> None:
    world = serving(make, 1)
    (fake,) = world.workers
    ask(fake)
    world.turn()
    fake.say(event="told", question=asked(fake)[0]["question"], is_missing=True)
    world.turn()
    assert answers(fake) == {"q": [(0, None)]}


def test_answers_are_bounded(make: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polls, "MAX_ANSWERS_BYTES", 10)
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    for fake in world.workers:
        tell(fake, asked(fake)[0], bytes(6))
        world.turn()
    assert answers(world.workers[0]) == {"q": [(0, bytes(6)), (1, None)]}


@pytest.mark.parametrize(
    "fields",
    [{}, {"subject": "x"}, {"subject": "x", "of": "", "question": "q", "seconds": "long"}],
)
def test_a_question_that_can_not_be_understood_is_asked_of_nobody(
    make: MakeWorld, logged: list[EventDict], fields: dict[str, Any]
) -> None:
    world = serving(make, 2)
    world.workers[0].say(event="ask_all", **fields)
    questions: list[Any] = [None, 17, "nobody's", []]
    for question in questions:
        world.workers[1].say(event="told", question=question)
    world.turn()
    assert not any(asked(fake) for fake in world.workers)
    assert "error of the parent process with a message; it goes on" in events(logged)
    ask(world.workers[0])
    world.turn()
    assert asked(world.workers[1])


def test_a_time_that_is_no_number_is_over(make: MakeWorld) -> None:
    world = serving(make, 1)
    (fake,) = world.workers
    fake.say(event="ask_all", question="q", subject="x", of="", seconds=float("nan"))
    world.turn()
    assert answers(fake) == {"q": [(0, None)]}


def test_a_parent_that_stops_still_answers(make: MakeWorld) -> None:
    world = serving(make, 2)
    ask(world.workers[0])
    world.turn()
    world.signals.send(signal.SIGTERM)
    world.turn()
    world.supervisor._crew.drain()
    world.turn(SECONDS + 1)
    assert answers(world.workers[0]) == {"q": [(0, None), (1, None)]}


def test_a_worker_that_starts_is_told_of_changes_alone(make: MakeWorld) -> None:
    world = make(2)
    roll(world)
    successor = world.workers[-1]
    ask(world.workers[0], "counts")
    ask(world.workers[0], "change", "unload", "digits")
    world.turn()
    assert [message["subject"] for message in asked(successor)] == ["unload"]
    for fake in world.workers[:2]:
        for message in asked(fake):
            tell(fake, message, b"done")
    world.turn()
    assert answers(world.workers[0]).keys() == {"counts"}
    successor.exit(1)
    world.turn()
    assert answers(world.workers[0]) == {"change": [(0, b"done"), (1, b"done")]}


def test_a_worker_that_leaves_is_asked_nothing(make: MakeWorld) -> None:
    world = make(2)
    let_go(world)
    leaving, successor = world.workers[0], world.workers[-1]
    ask(leaving, "change", "unload", "digits")
    world.turn()
    assert not asked(leaving)
    assert len(asked(successor)) == len(asked(world.workers[1])) == 1


def test_new_workers_are_told_what_is_unloaded(make: MakeWorld) -> None:
    world = serving(make, 1)

    def replace() -> list[str]:
        world.workers[-1].exit(-9)
        world.turn(60)
        world.workers[-1].ready()
        world.turn()
        return world.unloaded

    for subject, name in (("unload", "a"), ("unload", "b"), ("unload", "a"), ("statistics", "c")):
        ask(world.workers[-1], subject=subject, of=name)
    world.turn()
    assert replace() == ["a", "b"]
    ask(world.workers[-1], subject="load", of="a")
    ask(world.workers[-1], subject="load", of="unknown")
    world.turn()
    assert replace() == ["b"]


def test_new_workers_are_told_the_default_model_of_the_others(make: MakeWorld) -> None:
    world = make(1)
    world.workers[0].exit(-9)
    world.turn(60)
    assert len(world.workers) == 2
    assert world.default_model is None
    world.workers[-1].ready()
    world.turn()
    world.workers[-1].exit(-9)
    world.turn(60)
    assert world.default_model == "digits"


def test_what_has_crashed_is_tried_again_when_it_is_loaded(make: MakeWorld) -> None:
    world = serving(make, 1)
    files = [["a", 1, [1, 2]], ["b", 1, [3, 4]]]
    for file in files:
        world.workers[-1].say(event="loading", file=file)
        world.workers[-1].exit(-9)
        world.turn(60)
        world.workers[-1].ready()
        world.turn()
    assert world.crashed == files
    ask(world.workers[-1], subject="load", of="a")
    world.turn()
    world.workers[-1].exit(0)
    world.turn(60)
    assert world.crashed == files[1:]


def test_a_worker_reads_what_the_parent_hands_back() -> None:
    sent: list[dict[str, Any]] = []
    peers = Peers(lambda **message: sent.append(message))
    found: list[Answers] = []
    threads = [
        threading.Thread(target=lambda: found.append(peers.ask("x", "y", 60))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(sent) == 2)
    assert peers.are_awaited
    assert sent[0]["question"] != sent[1]["question"]
    assert (sent[0]["subject"], sent[0]["of"], sent[0]["seconds"]) == ("x", "y", 60)
    sizes = [[0, 2], [1, None], [2, 0], [3, 1]]
    peers.take({"question": "unknown", "sizes": sizes})
    for message in sent:
        for payload in (b"abc", b"xyz"):
            peers.take({"question": message["question"], "sizes": sizes, "payload": payload})
    for thread in threads:
        thread.join()
    assert found == [[(0, b"ab"), (1, None), (2, b""), (3, b"c")]] * 2
    assert not peers.are_awaited


def test_a_parent_that_says_nothing_is_not_waited_for() -> None:
    sent: list[dict[str, Any]] = []
    peers = Peers(lambda **message: sent.append(message))
    with pytest.raises(TimeoutError):
        peers.ask("x", "y", -PARENT_SECONDS)
    peers.take({"question": sent[0]["question"], "sizes": []})
