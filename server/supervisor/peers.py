"""Lets a worker ask all workers, itself among them, through the parent."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from server.supervisor.control import PAYLOAD, Message

PARENT_SECONDS = 1.0
"""How long the parent may take beside the time that the workers have."""

Answers = Sequence[tuple[int, bytes | None]]
"""The numbers of workers and what each has answered, None if it has not."""


class Peers:
    """The questions of this worker; any thread may ask."""

    def __init__(self, send: Callable[..., None]) -> None:
        """`send` sends a message to the parent."""
        self._send = send
        self._numbers = itertools.count()
        self._asked: dict[str, Future[Answers]] = {}

    @property
    def are_awaited(self) -> bool:
        """Whether some thread waits for answers."""
        return bool(self._asked)

    def ask(self, subject: str, name: str, seconds: float) -> Answers:
        """Return what each worker answers within some time; those that end meanwhile are left out.

        Raises TimeoutError when the parent says nothing.
        """
        # With the process's id, so that no answer to a predecessor is mistaken for its own.
        question = f"{os.getpid()}-{next(self._numbers)}"
        answers = self._asked[question] = Future()
        try:
            asked = {"subject": subject, "of": name, "seconds": seconds}
            self._send(event="ask_all", question=question, **asked)
            return answers.result(seconds + PARENT_SECONDS)
        finally:
            del self._asked[question]

    def take(self, message: Message) -> None:
        """Take the answers to a question, which may be too late."""
        answers = self._asked.get(message["question"])
        if answers is None or answers.done():
            return
        payload, begin = message.get(PAYLOAD, b""), 0
        found: list[tuple[int, bytes | None]] = []
        for number, size in message["sizes"]:
            found.append((number, None if size is None else payload[begin : begin + size]))
            begin += size or 0
        answers.set_result(found)
