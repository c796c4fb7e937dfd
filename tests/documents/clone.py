"""A clone of the repository as a reader has it after `make setup`, in a network of its own, so that
commands run on the ports that the pages name.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.server_process import ROOT, ServerProcess, attend, environment
from harness.waiting import PATIENCE_SECONDS
from tests.programs import need


@dataclass(frozen=True, slots=True)
class Clone:
    """A folder, and what a command begins with to run in the network."""

    folder: Path
    enter: Sequence[str]

    def start(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, whatever that is."""
        return subprocess.run(
            [*self.enter, *command],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def run(self, *command: str | Path) -> str:
        """Return what a command prints, which must succeed."""
        ended = self.start(*command)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def sh(self, lines: str) -> str:
        """Return what lines print that a reader pastes into a shell; each must succeed."""
        return self.run("bash", "-euo", "pipefail", "-c", lines)

    @contextlib.contextmanager
    def serve(self, lines: str) -> Iterator[ServerProcess]:
        """Run lines whose last starts a server, until the block ends, as if by Ctrl-C."""
        process = subprocess.Popen(
            [*self.enter, "bash", "-euo", "pipefail", "-c", lines],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with attend(process) as server:
            yield server
            os.killpg(process.pid, signal.SIGINT)
            server.wait_for("stopped")
            process.wait(PATIENCE_SECONDS)

    def environment(self) -> dict[str, str]:
        """Return the environment of commands: .venv may have another clone's packages, and one
        worker that stops at once will do.
        """
        fast = {"MLPSERVE_WORKERS": "1", "MLPSERVE_DRAIN_DELAY_SECONDS": "0"}
        return environment(PYTHONPATH=str(self.folder), **fast)


@contextlib.contextmanager
def network() -> Iterator[Sequence[str]]:
    """Yield what a command begins with to run in a network of its own, which is localhost."""
    need("ip", "iproute2")
    user = ["--map-root-user"] if os.geteuid() else []
    # As long as it reads, the network is there.
    command = ["unshare", *user, "--net", "sh", "-ec", "ip link set lo up; echo; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"\n", "this machine lets nobody make a network"
        users = ["--user", "--preserve-credentials"] if user else []
        yield ["nsenter", f"--target={holder.pid}", *users, "--net"]


@contextlib.contextmanager
def clone(folder: Path) -> Iterator[Clone]:
    """Make the folder one, in a network of its own."""
    link(folder)
    with network() as enter:
        yield Clone(folder, enter)


def link(folder: Path) -> None:
    """Link to what git has, and to .venv; builds and models stay in the folder."""
    listed = ["git", "ls-tree", "--name-only", "HEAD"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in (*names.split(), ".venv"):
        (folder / name).symlink_to(ROOT / name)
