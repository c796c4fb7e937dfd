"""A worker as its parent sees it: a process, and the control socket to it."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from typing import Any

from server.settings import Settings
from server.workers.control import Control
from server.workers.signals import HANDLED
from server.workers.standard_error import divert, forward

SEND_SECONDS = 1.0
"""How long a message may wait for a worker that reads none; such a one is not well."""

LAST_WORDS_SECONDS = 1.0
"""How long the log waits for what a worker that has ended wrote to its standard error."""


@dataclass(slots=True, eq=False)
class Worker:
    """A process that answers calls, and what is known about it.

    `ready_time`, `ping_time` and `deadline` are by time.monotonic: since when it answers calls,
    since when it owes an answer to a ping, and when it is killed unless it has ended. `loading` is
    the file that it is loading, as `server.journal` writes it. `forwarding` logs what it writes to
    its standard error.
    """

    number: int
    process: "subprocess.Popen[bytes]"
    control: Control
    ready_time: float | None = None
    ping_time: float | None = None
    deadline: float | None = None
    error: str = ""
    loading: list[Any] | None = None
    hung: bool = False
    forwarding: threading.Thread | None = None
    _answers: "dict[int, Future[list[Any]]]" = field(default_factory=dict)
    _questions: "itertools.count[int]" = field(default_factory=itertools.count)

    def ping(self) -> None:
        """Ask for a sign of life, unless that is so already."""
        if self.ping_time is None:
            self.ping_time = time.monotonic()
            self.control.send(do="ping")

    def ask_metrics(self) -> "tuple[int, Future[list[Any]]]":
        """Ask for its metrics; returns the question's number and what will hold the answer."""
        question, answer = next(self._questions), Future[list[Any]]()
        self._answers[question] = answer
        self.control.send(do="metrics", question=question)
        return question, answer

    def answer_metrics(self, question: int, families: list[Any]) -> None:
        """Give an answer to whoever still waits for it."""
        if answer := self._answers.pop(question, None):
            answer.set_result(families)

    def forget(self, question: int) -> None:
        """Wait for an answer no longer."""
        self._answers.pop(question, None)

    def stop(self, grace_seconds: float, margin_seconds: float) -> None:
        """Ask it to end within the grace period; the margin later it is to be killed."""
        self.deadline = time.monotonic() + grace_seconds + margin_seconds
        self.control.send(do="stop")

    def end(self, patience_seconds: float) -> int:
        """Close the control socket and return the exit code, after a kill if need be."""
        self.control.close()
        try:
            exit_code = self.process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            exit_code = self.process.wait()
        if self.forwarding is not None:
            # Its last words may say why.
            self.forwarding.join(LAST_WORDS_SECONDS)
        return exit_code


def start(number: int, settings: Settings, crashed: Iterable[list[Any]] = ()) -> Worker:
    """Start a worker, which does not load what has `crashed` others; for the main thread, since
    workers die with the thread that started them.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(SEND_SECONDS)
    warnings = [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *warnings, "-m", "server.worker"]
    # Workers take orders from the parent alone: a terminal or a service manager signals them too,
    # all at once and in no order. What is blocked stays so in the new process.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        with divert() as stderr:
            # Exec, never fork alone, which grpc does not survive.
            process = subprocess.Popen(  # noqa: S603  # of our own making
                command, stdin=theirs.fileno(), stderr=stderr.write_end, pass_fds=[stderr.log]
            )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    worker = Worker(number, process, Control(ours))
    worker.forwarding = forward(stderr.read_end, worker=number)
    worker.control.send(
        worker=number,
        parent=os.getpid(),
        log=stderr.log,
        settings=asdict(settings),
        crashed=[*crashed],
    )
    return worker
