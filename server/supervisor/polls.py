"""Questions that a worker has for all: the parent asks them, and hands the answers back together.

It waits neither for a worker that has ended nor for longer than the question says.
"""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field

from server.supervisor.control import PAYLOAD, Message
from server.supervisor.process import Child

MAX_ANSWERS_BYTES = 1 << 24
"""Bytes of the answers to one question; those of further workers are reported as missing."""


@dataclass(slots=True, eq=False)
class Poll:
    """A question of a worker, by its own name for it, until `end_time` by the parent's clock.

    `answers` are None for workers that can't give one; no more is expected than from `waiting`.
    """

    asker: Child
    question: str
    end_time: float
    waiting: set[Child]
    answers: list[tuple[int, bytes | None]] = field(default_factory=list)
    size: int = 0


class Polls:
    """All questions that have not been answered by everybody."""

    def __init__(self) -> None:
        self._polls: dict[int, Poll] = {}
        self._numbers = itertools.count()

    def begin(self, asker: Child, message: Message, workers: Collection[Child], now: float) -> None:
        """Ask workers what a worker wants to know; raises an error for an invalid message."""
        subject, name = str(message["subject"]), str(message["of"])
        end_time = now + float(message["seconds"])
        number = next(self._numbers)
        self._polls[number] = Poll(asker, str(message["question"]), end_time, {*workers})
        for worker in workers:
            worker.control.send(do="ask", question=number, subject=subject, of=name)
        self._end_if_over(number)

    def take(self, worker: Child, message: Message) -> None:
        """Take a worker's answer, which may be too late."""
        number = message["question"]
        poll = self._polls.get(number)
        if poll is None or worker not in poll.waiting:
            return
        poll.waiting.remove(worker)
        answer = None if message.get("is_missing") else message.get(PAYLOAD, b"")
        if answer is not None and poll.size + len(answer) <= MAX_ANSWERS_BYTES:
            poll.size += len(answer)
            poll.answers.append((worker.number, answer))
        else:
            poll.answers.append((worker.number, None))
        self._end_if_over(number)

    def on_end(self, worker: Child) -> None:
        """Expect nothing from a worker that has exited, and tell it nothing."""
        for number, poll in list(self._polls.items()):
            if poll.asker is worker:
                del self._polls[number]
            else:
                poll.waiting.discard(worker)
                self._end_if_over(number)

    def expire(self, now: float) -> None:
        """Hand back what there is of questions whose time is over."""
        for number, poll in list(self._polls.items()):
            # Not `now > end_time`, which would wait for ever for one that is not a number.
            if not now <= poll.end_time:
                poll.answers += [(worker.number, None) for worker in poll.waiting]
                poll.waiting.clear()
                self._end_if_over(number)

    def _end_if_over(self, number: int) -> None:
        poll = self._polls[number]
        if poll.waiting:
            return
        del self._polls[number]
        answers = sorted(poll.answers, key=lambda numbered: numbered[0])
        poll.asker.control.send(
            *(answer for _, answer in answers if answer),
            do="answers",
            question=poll.question,
            sizes=[(number, None if answer is None else len(answer)) for number, answer in answers],
        )
