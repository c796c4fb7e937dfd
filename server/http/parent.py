"""What HTTP's process asks its parent, each question once however many wait for its answer."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from server.supervisor.control import Link, Message

MIN_STALE_SECONDS, MAX_STALE_SECONDS = 2.0, 10.0
"""Between these the worker timeout is also how long the parent may be silent."""

Subject = str | int
"""What a question is about: the `state`, the metrics of the `parent`, or a worker's."""


class Parent:
    """The parent, for HTTP's event loop; answers are newer than their questions."""

    def __init__(self, link: Link, timeout_seconds: float) -> None:
        self._link = link
        self._stale_seconds = min(max(timeout_seconds, MIN_STALE_SECONDS), MAX_STALE_SECONDS)
        self._heard_time = time.monotonic()
        self.was_ready = False
        """What the parent has said last about whether a worker is ready."""
        self._numbers = itertools.count()
        self._subjects: dict[str, Subject] = {}
        self._current: dict[Subject, asyncio.Future[Message]] = {}
        self._next: dict[Subject, asyncio.Future[Message]] = {}
        self._stop: Callable[[], None] = lambda: None

    def listen(self, already: list[Message], stop: Callable[[], None]) -> None:
        """Take what the parent says from now on; `stop` is called when it says so."""
        self._stop = stop
        for message in already:
            self._take(message)
        asyncio.get_running_loop().add_reader(self._link.fileno(), self._read)

    @property
    def is_silent(self) -> bool:
        """Whether the parent has said nothing for so long that nobody knows how things are."""
        return time.monotonic() - self._heard_time > self._stale_seconds

    def send(self, **message: Any) -> None:
        """Tell the parent something."""
        self._link.send(**message)
        if self._link.waiting_bytes:
            asyncio.get_running_loop().add_writer(self._link.fileno(), self._write)

    async def ask(self, subject: Subject) -> Message:
        """Return an answer to a question that is asked after this call.

        Who comes while one is under way waits for the next, together with all who come then.
        """
        if subject in self._current:
            loop = asyncio.get_running_loop()
            answer = self._next.setdefault(subject, loop.create_future())
        else:
            answer = asyncio.get_running_loop().create_future()
            self._ask(subject, answer)
        return await asyncio.shield(answer)

    def _ask(self, subject: Subject, answer: "asyncio.Future[Message]") -> None:
        # Of another process that was here before nobody wants to hear.
        question = f"{os.getpid()}-{next(self._numbers)}"
        self._subjects[question], self._current[subject] = subject, answer
        self.send(event="ask", of=subject, question=question)

    def _read(self) -> None:
        messages = self._link.receive()
        if messages is None:
            # Without a parent nobody looks after the workers, and nobody needs this process.
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
