"""A process as its parent sees it, a worker or HTTP's, and the control socket to it."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from server.settings.settings import Settings
from server.supervisor.control import Link, Message
from server.supervisor.signals import HANDLED
from server.supervisor.standard_error import divert, forward

WORKER, HTTP = "server.worker", "server.http"
"""The modules that the processes run."""

NICENESS = 5
"""HTTP's process makes way for the workers, at the start and when many ask it at once; it still
gets a third of what a worker does where all are busy.
"""

MAX_WAITING_BYTES = 1 << 20
"""Orders that may wait for a worker that reads none; beyond, it is not well."""


class Process(Protocol):
    """What the parent needs of subprocess.Popen."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, which the parent does at its own end alone."""
        ...


@dataclass(slots=True, eq=False)
class Child:
    """A process that the parent has started, and what is known about it.

    `ready_time`, `ping_time` and `deadline` are by the parent's clock: since when it does its work,
    since when it owes an answer to a ping, and when it is killed unless it has ended.
    `silent_seconds` is how long a part that it can't do without had made no progress, as it said
    last; `asked` are questions that it has not answered. `loading` is the file that it is loading,
    as `server.models.journal` writes it; `forwarding` logs what it writes to its standard error.
    HTTP's process has the number 0 too.
    """

    number: int
    process: Process
    control: Link
    ready_time: float | None = None
    ping_time: float | None = None
    silent_seconds: float = 0.0
    deadline: float | None = None
    error: str = ""
    loading: list[Any] | None = None
    is_hung: bool = False
    is_gone: bool = False
    asked: set[str] = field(default_factory=set)
    forwarding: threading.Thread | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it does its work, as far as the parent knows."""
        return self.ready_time is not None and not self.is_hung

    def ping(self, now: float) -> None:
        """Ask for a sign of life, unless that is so already."""
        if self.ping_time is None:
            self.ping_time = now
            self.control.send(do="ping")

    def take_pong(self, message: Message) -> None:
        """Take note of a sign of life; raises ValueError when it has no number for the silence."""
        silent = float(message.get("silent_seconds", 0.0))
        if math.isnan(silent):
            raise ValueError("silent_seconds is no number")
        self.ping_time, self.silent_seconds = None, silent

    def silence(self, now: float) -> float:
        """Return for how many seconds it has given no sign of life."""
        unanswered = 0.0 if self.ping_time is None else now - self.ping_time
        return max(unanswered, self.silent_seconds)

    def stop(self, deadline: float) -> None:
        """Ask it to end, and plan to kill it at the deadline."""
        self.deadline = deadline
        self.control.send(do="stop")


def start_worker(number: int, settings: Settings, crashed: Sequence[list[Any]] = ()) -> Child:
    """Start a worker, which does not load what has `crashed` others; raises OSError."""
    return start(WORKER, number, settings=asdict(settings), crashed=[*crashed])


def start_http(settings: Settings, listening: Sequence[socket.socket]) -> Child:
    """Start HTTP's process on sockets that listen; raises OSError when that can't be done."""
    files = [opened.fileno() for opened in listening]
    child = start(HTTP, 0, files=files, settings=asdict(settings))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.process.pid, NICENESS)
    return child


def start(module: str, number: int, files: Sequence[int] = (), **first: Any) -> Child:
    """Start a process that runs a module; for the main thread, since it dies with the thread that
    started it. `first` is what it is told, `files` stay open in it.
    """
    name: dict[str, object] = {"process": "http"} if module == HTTP else {"worker": number}
    ours, theirs = socket.socketpair()
    warnings = [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *warnings, "-m", module]
    # They take orders from the parent alone: a terminal or a service manager signals them too,
    # all at once and in no order. What is blocked stays so in the new process.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        with divert() as stderr:
            # Exec, never fork alone, which grpc does not survive.
            process = subprocess.Popen(  # noqa: S603  # of our own making
                command,
                stdin=theirs.fileno(),
                stderr=stderr.write_end,
                pass_fds=[*files, stderr.log],
            )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    child = Child(number, process, Link(ours))
    child.forwarding = forward(stderr.read_end, **name)
    child.control.send(
        worker=number, parent=os.getpid(), log=stderr.log, files=list(files), **first
    )
    return child
