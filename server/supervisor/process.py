"""A process as its parent sees it, a worker or HTTP's, and the control socket to it."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from server.settings.settings import Settings
from server.supervisor.control import Link, Message
from server.supervisor.signals import HANDLED
from server.supervisor.standard_error import divert, forward
from server.system.memory import FEW_POOLS

WORKER, HTTP = "server.worker", "server.http"
"""The modules that the processes run."""

NICENESS = 5
"""HTTP's process gives way to the workers at the start and under load; if all are busy, it still
gets a third of a worker's share.
"""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Keeps NumPy from computing on several cores: each worker is one core's share."""

MAX_WAITING_BYTES = 1 << 25
"""Bytes of orders that may wait for a worker; beyond, it counts as hung. They
include the answers of all workers to a question of this one.
"""


@dataclass(slots=True, eq=False)
class Child:
    """A process that the parent has started, and what is known about it.

    `ready_time`, `ping_time` and `deadline` are by the parent's clock: since when it is ready,
    since when it owes an answer to a ping, and when it is killed unless it has exited.
    `silent_seconds` is how long a vital part of it had made no progress, by its last report;
    `asked` are questions that it has not answered. `loading` is the file that it is loading, as
    `server.models.journal` writes it. HTTP's process has the number 0.
    """

    number: int
    process: "subprocess.Popen[bytes]"
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

    @property
    def is_ready(self) -> bool:
        """Whether it is ready, as far as the parent knows."""
        return self.ready_time is not None and not self.is_hung

    def ping(self, now: float) -> None:
        """Send a ping, unless one is unanswered."""
        if self.ping_time is None:
            self.ping_time = now
            self.control.send(do="ping")

    def take_pong(self, message: Message) -> None:
        """Note the answer to a ping; raises ValueError if its silence is not a number."""
        silent = float(message.get("silent_seconds", 0.0))
        if math.isnan(silent):
            raise ValueError("silent_seconds is not a number")
        self.ping_time, self.silent_seconds = None, silent

    def silence(self, now: float) -> float:
        """Return for how many seconds it has been unresponsive."""
        unanswered = 0.0 if self.ping_time is None else now - self.ping_time
        return max(unanswered, self.silent_seconds)

    def stop(self, deadline: float) -> None:
        """Ask it to stop, and plan to kill it at the deadline."""
        self.deadline = deadline
        self.control.send(do="stop")


def start_worker(
    settings: Settings,
    number: int,
    crashed: Sequence[list[Any]] = (),
    unloaded: Sequence[str] = (),
    default_model: str | None = None,
) -> Child:
    """Start a worker that does not load what has `crashed` others, nor the models that are
    `unloaded`; `default_model` is that of workers before it, empty when they have none, and None
    when there were none. Raises OSError.
    """
    return start(
        WORKER,
        number,
        settings=asdict(settings),
        crashed=[*crashed],
        unloaded=[*unloaded],
        default_model=default_model,
    )


def start_http(settings: Settings, listening: Sequence[socket.socket]) -> Child:
    """Start HTTP's process on listening sockets; raises OSError."""
    files = [opened.fileno() for opened in listening]
    child = start(HTTP, 0, files=files, settings=asdict(settings))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.process.pid, NICENESS)
    return child


def start(module: str, number: int, files: Sequence[int] = (), **first: Any) -> Child:
    """Start a process that runs a module; on the main thread, because it dies with the thread that
    started it. `first` is its first message, `files` stay open in it.
    """
    name: dict[str, object] = {"process": "http"} if module == HTTP else {"worker": number}
    ours, theirs = socket.socketpair()
    warnings = [f"-W{option}" for option in sys.warnoptions]
    command = [sys.executable, *warnings, "-m", module]
    # They take orders from the parent only: a terminal or a service manager signals all processes
    # at once. Blocked signals stay blocked in the new process.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        with divert() as stderr:
            # Exec, never just fork, which grpc does not survive.
            process = subprocess.Popen(  # noqa: S603  # of our own making
                command,
                stdin=theirs.fileno(),
                stderr=stderr.write_end,
                env={**os.environ, **ONE_THREAD, **FEW_POOLS},
                pass_fds=[*files, stderr.log],
            )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    child = Child(number, process, Link(ours))
    forward(stderr.read_end, **name)
    child.control.send(
        worker=number, parent=os.getpid(), log=stderr.log, files=list(files), **first
    )
    return child
