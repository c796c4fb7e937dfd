"""HTTP's process as the parent sees it: restarted when it exits, and answered what it asks."""

from collections import Counter
from collections.abc import Callable

import structlog

from server.logs.writer import STDERR
from server.reasons.processes import ENDS, EndReason
from server.supervisor.control import Message
from server.supervisor.crew import Crew, cause
from server.supervisor.process import Child
from server.supervisor.slot import Slot

log = structlog.get_logger()

END_SECONDS = 2.0
"""How long it may take to exit, after finishing the answers that have begun."""

START_SECONDS = 30.0
"""How long it may take from its start to its first message, on a very busy machine."""

MAX_WAITING_BYTES = 1 << 27
"""Answers of workers that may wait for it; further ones are reported as missing."""


class Front:
    """Keeps HTTP's process running. `start` starts one, or raises OSError."""

    def __init__(self, child: Child | None, start: Callable[[], Child]) -> None:
        self._slot = Slot(0, child)
        self._start = start
        self.is_stopping = False
        self._restarts = Counter[EndReason](dict.fromkeys(ENDS, 0))

    def children(self) -> list[Child]:
        """Return the process, if there is one."""
        return [] if self._slot.child is None else [self._slot.child]

    def on_message(self, child: Child, message: Message, now: float, crew: Crew) -> None:
        """Act on its message; raises an error for an invalid one."""
        match message["event"]:
            case "pong":
                child.take_pong(message)
            case "ready":
                child.ready_time = now
            case "failed":
                child.error = str(message["error"])
            case "ask":
                self._on_question(child, message["question"], message["of"], crew)
            case unknown:
                raise ValueError(f"the event {unknown!r} is unknown")

    def _on_question(self, child: Child, question: str, subject: object, crew: Crew) -> None:
        match subject:
            case "state":
                child.control.send(do="answer", question=question, is_ready=crew.is_ready)
            case "parent":
                child.control.send(
                    do="answer",
                    question=question,
                    workers=[slot.number for slot in crew.slots],
                    ready=[worker.number for worker in crew.ready()],
                    restarts=crew.restarts,
                    http_restarts=self._restarts,
                    lines_lost=STDERR.lost,
                )
            case int():
                if not crew.ask_metrics(subject, question):
                    self.answer(question, None)
            case _:
                raise ValueError(f"the subject {subject!r} is unknown")

    def answer(self, question: str, payload: bytes | None) -> None:
        """Pass on a worker's answer to a question, None if there will be none."""
        child = self._slot.child
        if child is None:
            return
        if payload is None or child.control.waiting_bytes + len(payload) > MAX_WAITING_BYTES:
            child.control.send(do="answer", question=question, is_missing=True)
        else:
            child.control.send(payload, do="answer", question=question)

    def on_end(self, child: Child, exit_code: int, now: float) -> None:
        """Note that it has exited, which affects nothing else."""
        self._slot.child = None
        if not self.is_stopping:
            self._put_off(child.ready_time, *cause(child, exit_code), now)

    def _put_off(self, ready_time: float | None, reason: EndReason, error: str, now: float) -> None:
        delay = self._slot.note_end(now, ready_time)
        self._restarts[reason] += 1
        log.warning("HTTP's process ended", reason=reason, error=error, restart_seconds=delay)

    def tend(self, now: float) -> None:
        """Start the process if it is due."""
        if self._slot.child is not None or self.is_stopping or now < self._slot.restart_time:
            return
        try:
            self._slot.child = self._start()
        except OSError as error:
            self._put_off(None, "failed", f"can't start a process: {error.strerror}", now)

    def stop(self, now: float) -> None:
        """Stop it; it is not replaced."""
        self.is_stopping = True
        for child in self.children():
            child.stop(now + END_SECONDS)
