"""Starts the real server in a process of its own and says where it listens."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from harness.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parent.parent

HTTP_KILLED = "HTTP's process killed, because it did not exit"
"""What is logged on a busy machine, where that process may take longer to exit than it has."""


@dataclass(slots=True)
class ServerProcess:
    """A running server; `log` holds its log lines so far."""

    process: subprocess.Popen[str] | subprocess.Popen[bytes]
    grpc_address: str = ""
    http_address: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    arrived: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the next log line with this event; fails when the server ends or stays silent."""
        while (line := self.arrived.get(timeout=PATIENCE_SECONDS)) is not None:
            if line["event"] == event:
                return line
        raise AssertionError(f"the server ended before it logged {event!r}: {self.log}")

    @property
    def workers(self) -> list[int]:
        """The process ids of its workers."""
        return self._children("server.worker")

    @property
    def http(self) -> list[int]:
        """The process id of what answers HTTP, if it runs."""
        return self._children("server.http")

    def _children(self, module: str) -> list[int]:
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found = []
        for child in map(int, pids):
            # It may end meanwhile.
            with contextlib.suppress(OSError):
                if module.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                    found.append(child)
        return found

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)


def command(*arguments: str) -> list[str]:
    """Return the command line of a server on free ports, with one worker and no drain delay unless
    told otherwise.
    """
    return [
        *(sys.executable, "-W", "error", "-m", "server"),
        *("--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"),
        *("--drain-delay-seconds", "0", "--workers", "1", *arguments),
    ]


def mode(lane: bool) -> tuple[str, str]:
    """Return what has a server take predictions on the lane, or else on grpcio's threads."""
    return "--lane", "on" if lane else "off"


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what steers the server, plus `variables`."""
    steers = ("MLPSERVE_", "ORT_", "CI")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(steers)}
    return clean | variables


def run_to_end(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@contextlib.contextmanager
def start_server(repository: Path, *arguments: str, **variables: str) -> Iterator[ServerProcess]:
    """Run a server on free ports until the block ends, which it must survive."""
    process = subprocess.Popen(
        command("--repository", str(repository), *arguments),
        cwd=ROOT,
        env=environment(**variables),
        stderr=subprocess.PIPE,
        text=True,
    )
    with attend(process) as server:
        yield server
        if process.poll() is None:
            assert server.terminate() == 0, server.log


@contextlib.contextmanager
def attend(process: subprocess.Popen[str]) -> Iterator[ServerProcess]:
    """Yield a server that is starting once it serves; the block stops it, or the end kills it."""
    server = ServerProcess(process)
    assert process.stderr is not None
    reader = threading.Thread(target=_collect, args=(process.stderr, server))
    reader.start()
    try:
        serving = server.wait_for("serving")
        server.grpc_address, server.http_address = serving["grpc"], serving["http"]
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


def _collect(stream: IO[str], server: ServerProcess) -> None:
    for text in stream:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            line = {"event": "not JSON", "text": text}
        server.log.append(line)
        server.arrived.put(line)
    server.arrived.put(None)
