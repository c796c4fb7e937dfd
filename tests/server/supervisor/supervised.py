"""A parent whose processes are fakes, and whose time passes when a test says so."""

import contextlib
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, cast

from structlog.typing import EventDict

from server.settings.settings import Settings
from server.supervisor.control import Link, Message
from server.supervisor.launch import Launched
from server.supervisor.process import Child
from server.supervisor.signals import Signals
from server.supervisor.supervisor import Supervisor

DEADLINE = -signal.SIGKILL
"""The exit code of a process that did not end in time."""


class FakeProcess:
    """A process that ends when it is told to, or killed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit_code: int | None = None

    def poll(self) -> int | None:
        return self.exit_code

    def kill(self) -> None:
        if self.exit_code is None:
            self.exit_code = -signal.SIGKILL

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002  # as Popen has it
        assert self.exit_code is not None
        return self.exit_code


class Fake:
    """A worker, or HTTP's process, as a test plays it."""

    def __init__(self, number: int, pid: int) -> None:
        ours, self.end = socket.socketpair()
        self.process = FakeProcess(pid)
        self.link = Link(self.end)
        self.child = Child(number, cast("subprocess.Popen[bytes]", self.process), Link(ours))

    def say(self, *payload: bytes, **message: Any) -> None:
        self.link.send(*payload, **message)

    def ready(self) -> None:
        self.say(event="ready", default_model="digits")

    def orders(self) -> list[str]:
        """Return what it was told since the last time."""
        return [message["do"] for message in self.messages()]

    def messages(self) -> list[Message]:
        found: list[Message] = []
        while select.select([self.end], [], [], 0)[0]:
            received = self.link.receive()
            if received is None:
                break
            found += received
        return found

    def exit(self, exit_code: int) -> None:
        self.process.exit_code = exit_code
        self.link.close()


class FakeSignals:
    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()

    def send(self, number: int) -> None:
        self._theirs.send(bytes([number]))

    def fileno(self) -> int:
        return self._ours.fileno()

    def take(self) -> list[int]:
        return list(self._ours.recv(100))

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class World:
    """A supervisor and all that it sees; `workers` and `https` are those started so far, and
    `crashed` is what the last worker was told not to load, `unloaded` the models not to serve.
    """

    def __init__(self, workers: int = 2, **settings: Any) -> None:
        self.now = 1000.0
        self.step = 0.0
        self.signals = FakeSignals()
        self.workers: list[Fake] = []
        self.https: list[Fake] = []
        self.start_error: Exception | None = None
        self.crashed: list[list[Any]] = []
        self.unloaded: list[str] = []
        self.default_model: str | None = None
        self.on_clock: Callable[[], None] = lambda: None
        launched = Launched(
            Settings(workers=workers, **settings),
            0.0,
            cast(Signals, self.signals),
            "127.0.0.1:1",
            tuple(self._start(number) for number in range(workers)),
            self._start_http(),
            self._start,
            self._start_http,
            contextlib.ExitStack(),
        )
        self.supervisor = Supervisor(launched, self._clock)

    def _clock(self) -> float:
        self.now += self.step
        self.on_clock()
        return self.now

    def _start(
        self,
        number: int,
        crashed: Sequence[list[Any]] = (),
        unloaded: Sequence[str] = (),
        default_model: str | None = None,
    ) -> Child:
        if self.start_error is not None:
            raise self.start_error
        self.crashed, self.unloaded = [*crashed], [*unloaded]
        self.default_model = default_model
        self.workers.append(Fake(number, 100 + len(self.workers)))
        return self.workers[-1].child

    def _start_http(self) -> Child:
        if self.start_error is not None:
            raise self.start_error
        self.https.append(Fake(0, 9000 + len(self.https)))
        return self.https[-1].child

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and the parent see to what has happened."""
        self.now += seconds
        for _ in range(3):
            self.supervisor.turn()

    def is_ready(self) -> bool:
        """Ask the parent as HTTP's process does."""
        http = self.https[-1]
        if "ping" in http.orders():
            http.say(event="pong")
        http.say(event="ask", of="state", question="ready")
        self.turn()
        (answer,) = (told for told in http.messages() if told.get("question") == "ready")
        return bool(answer["is_ready"])

    def serve(self) -> None:
        """Have all be ready."""
        for fake in (*self.workers, *self.https):
            fake.ready()
        self.turn()

    def run_with_obedient_workers(self) -> None:
        """Run to the end; workers and HTTP's process end as soon as they are told to."""
        self.step = 0.05

        def obey() -> None:
            for fake in (*self.workers, *self.https):
                if fake.process.exit_code is None and "stop" in fake.orders():
                    fake.say(event="stopped", calls_started=3, calls_handled=3)
                    fake.exit(0)

        self.on_clock = obey
        self.supervisor.run()

    def close(self) -> None:
        for fake in (*self.workers, *self.https):
            fake.end.close()
            with contextlib.suppress(OSError):
                fake.child.control.close()
        self.signals.close()


MakeWorld = Callable[..., World]


def events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]
