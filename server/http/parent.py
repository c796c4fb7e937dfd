"""Asks the parent on behalf of HTTP's process, one question at a time for all who wait for it."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from server.supervisor.control import Link, Message

MIN_STALE_SECONDS, MAX_STALE_SECONDS = 2.0, 10.0
"""The parent may be silent for the worker timeout, but for this long at least and at most."""

Subject = str | int
"""What a question is about: the `state`, the metrics of the `parent`, or a worker's."""


class Parent:
    """The parent, for HTTP's event loop; answers are newer than their questions."""

    def __init__(self, link: Link, timeout_seconds: float) -> None:
        self._link = link
        self._stale_seconds = min(max(timeout_seconds, MIN_STALE_SECONDS), MAX_STALE_SECONDS)
        self._heard_time = time.monotonic()
        # Whether a worker was ready when the parent last said so.
        self.was_ready = False
        self._numbers = itertools.count()
        self._subjects: dict[str, Subject] = {}
        self._current: dict[Subject, asyncio.Future[Message]] = {}
        self._next: dict[Subject, asyncio.Future[Message]] = {}
        self._stop: Callable[[], None] = lambda: None

    def listen(self, already: list[Message], stop: Callable[[], None]) -> None:
        """Handle the parent's messages from now on; `stop` is called when it says stop."""
        self._stop = stop
        for message in already:
            self._take(message)
        asyncio.get_running_loop().add_reader(self._link.fileno(), self._read)

    @property
    def is_silent(self) -> bool:
        """Whether the parent has said nothing for so long that its last answers are stale."""
        return time.monotonic() - self._heard_time > self._stale_seconds

    def send(self, **message: Any) -> None:
        """Tell the parent something."""
        self._link.send(**message)
        if self._link.waiting_bytes:
            asyncio.get_running_loop().add_writer(self._link.fileno(), self._write)

    async def ask(self, subject: Subject) -> Message:
        """Return the answer to a question sent after this call; while one is pending, all who call
        share the next.
        """
        answer = asyncio.get_running_loop().create_future()
        if subject in self._current:
            answer = self._next.setdefault(subject, answer)
        else:
            self._ask(subject, answer)
        return await asyncio.shield(answer)

    def _ask(self, subject: Subject, answer: "asyncio.Future[Message]") -> None:
        # With the process's id, so that answers to a predecessor are not mistaken for its own.
        question = f"{os.getpid()}-{next(self._numbers)}"
        self._subjects[question], self._current[subject] = subject, answer
        self.send(event="ask", of=subject, question=question)

    def _read(self) -> None:
        messages = self._link.receive()
        if messages is None:
            # Without the parent the workers have no supervisor, and this process no use.
            os._exit(1)
        for message in messages:
            self._take(message)

    def _write(self) -> None:
        self._link.flush()
        if not self._link.waiting_bytes:
            asyncio.get_running_loop().remove_writer(self._link.fileno())

    def _take(self, message: Message) -> None:
        self._heard_time = time.monotonic()
        match message.get("do"):
            case "ping":
                self.send(event="pong")
            case "answer":
                self._on_answer(message)
            case "stop":
                self._stop()

    def _on_answer(self, message: Message) -> None:
        subject = self._subjects.pop(message["question"], None)
        if subject is None:
            return
        self.was_ready = message.get("is_ready", self.was_ready)
        self._current.pop(subject).set_result(message)
        if waiting := self._next.pop(subject, None):
            self._ask(subject, waiting)
