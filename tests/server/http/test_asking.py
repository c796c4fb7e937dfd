"""HTTP's process asks its parent each question once, however many wait for the answer."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.http.monitoring.metrics import scrape_seconds
from server.http.parent import Parent
from server.supervisor.control import Link


def play(scene: Callable[[Parent, Link], Awaitable[None]]) -> None:
    """Run a scene with a parent that the test plays through the link."""
    ours, theirs = socket.socketpair()
    link = Link(ours)

    async def run() -> None:
        parent = Parent(link, 5.0)
        parent.listen([], lambda: None)
        await scene(parent, Link(theirs))

    asyncio.run(run())
    ours.close()
    theirs.close()


async def asked(link: Link) -> list[dict[str, Any]]:
    """Return the questions that have come, once there are some."""
    while not (messages := link.receive()):
        assert messages is not None
        await asyncio.sleep(0)
    return [message for message in messages if message["event"] == "ask"]


def test_many_share_a_question_and_get_a_new_answer() -> None:
    async def scene(parent: Parent, link: Link) -> None:
        first = [asyncio.ensure_future(parent.ask("state"))]
        (question,) = await asked(link)
        later = [asyncio.ensure_future(parent.ask("state")) for _ in range(100)]
        await asyncio.sleep(0)
        link.send(do="answer", question=question["question"], is_ready=False)
        (next_question,) = await asked(link)
        assert not any(answer.done() for answer in later)
        link.send(do="answer", question=next_question["question"], is_ready=True)
        told = [message["is_ready"] for message in await asyncio.gather(*first, *later)]
        assert told == [False] + [True] * 100
        assert link.receive() == []

    play(scene)


def test_who_waits_no_longer_takes_nothing_from_others() -> None:
    async def scene(parent: Parent, link: Link) -> None:
        impatient = asyncio.ensure_future(asyncio.wait_for(parent.ask(0), 0.001))
        (question,) = await asked(link)
        with pytest.raises(TimeoutError):
            await impatient
        patient = asyncio.ensure_future(parent.ask(0))
        other = asyncio.ensure_future(parent.ask(1))
        (of_other,) = await asked(link)
        link.send(b"1", do="answer", question=of_other["question"])
        assert (await other)["payload"] == b"1"
        link.send(b"0", do="answer", question=question["question"])
        (again,) = await asked(link)
        link.send(b"new", do="answer", question=again["question"])
        assert (await patient)["payload"] == b"new"

    play(scene)


def test_answers_to_others_are_left_alone() -> None:
    async def scene(parent: Parent, link: Link) -> None:
        waiting = asyncio.ensure_future(parent.ask("state"))
        (question,) = await asked(link)
        link.send(do="answer", question="1-1", is_ready=True)
        link.send(do="nonsense")
        link.send(do="answer", question=question["question"], is_ready=False)
        assert (await waiting)["is_ready"] is False

    play(scene)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("10", 9.5),
        ("1", 0.75),
        ("0.2", 0.15),
        ("1000", 29.5),
        ("inf", 29.5),
        ("", 3.5),
        ("nan", 3.5),
        ("-1", 3.5),
        ("0", 3.5),
        ("soon", 3.5),
    ],
)
def test_a_reader_says_how_long_it_waits(header: str, seconds: float) -> None:
    assert scrape_seconds(header) == pytest.approx(seconds)
