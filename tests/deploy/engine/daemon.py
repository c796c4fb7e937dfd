"""A Docker daemon that keeps all it has in one folder, in the machine's network or in its own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.server_process import ROOT
from tests.deploy.engine.needs import PATH, program

CGROUPS = Path("/sys/fs/cgroup")
START_SECONDS = 60.0
STOP_SECONDS = 60.0


class EngineError(AssertionError):
    """A command of the engine failed; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where an engine has its files, and what it keeps: images and containers."""

    folder: Path
    data: Path

    @property
    def namespace(self) -> str:
        """The name of the network namespace that its containers are reached in."""
        return f"mlpserve-{self.folder.name}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make docker and Compose speak to this engine."""
        own = {
            "PATH": PATH,
            "DOCKER_HOST": f"unix://{self.folder / 'docker.sock'}",
            "DOCKER_CONFIG": str(self.folder / "config"),
            "DOCKER_BUILDKIT": "1",
        }
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLPSERVE_", "COMPOSE_"))}
        return kept | own

    def docker(self, *arguments: str | Path, timeout_seconds: float = 600.0) -> str:
        """Run docker and return what it prints; raises EngineError."""
        return self.run([program("docker"), *arguments], timeout_seconds=timeout_seconds)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        timeout_seconds: float = 600.0,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command that speaks to this engine, in the repository; raises EngineError."""
        try:
            ended = subprocess.run(
                command,
                cwd=ROOT,
                env=self.environment | dict(variables or {}),
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{command} took more than {timeout_seconds:g} s") from error
        if ended.returncode:
            said = (ended.stdout + ended.stderr)[-4000:]
            raise EngineError(f"{command} ended with {ended.returncode}:\n{said}")
        return ended.stdout

    def add_compose(self, program: Path) -> None:
        """Make `docker compose` this program."""
        plugins = self.folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(program)

    def inside(self, *command: str | Path) -> list[str | Path]:
        """Return the command as it runs in the network of the containers."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *command]


@contextlib.contextmanager
def in_the_machines_network(engine: Engine) -> Iterator[None]:
    """Run the daemon so that builds reach what this machine reaches; nothing is set up for it."""
    off = ("--bridge=none", "--iptables=false", "--ip6tables=false")
    with _running(engine, [], [*off, "--ip-forward=false", "--ip-masq=false"]):
        yield


@contextlib.contextmanager
def in_a_network_of_its_own(engine: Engine) -> Iterator[None]:
    """Run the daemon so that none of its bridges, rules and ports is on this machine."""
    subprocess.run(["ip", "netns", "add", engine.namespace], check=True)
    try:
        subprocess.run(
            ["ip", "-n", engine.namespace, "link", "set", "lo", "up"],
            check=True,
        )
        with _running(engine, engine.inside(), []):
            yield
    finally:
        subprocess.run(["ip", "netns", "del", engine.namespace], check=True)


@contextlib.contextmanager
def _running(
    engine: Engine, before: Sequence[str | Path], options: Sequence[str]
) -> Iterator[None]:
    folder = engine.folder
    own = [f"--data-root={engine.data}", f"--exec-root={folder / 'exec'}"]
    own += [f"--pidfile={folder / 'docker.pid'}", f"--host=unix://{folder / 'docker.sock'}"]
    own.append(f"--cgroup-parent=/{engine.namespace}")
    command = [*before, program("dockerd"), *own, *options]
    with (folder / "dockerd.log").open("ab") as log:
        # A session of its own, so that a Ctrl-C for the tests leaves the end in order to this.
        daemon = subprocess.Popen(
            command,
            env=engine.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(engine, daemon)
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        _remove_groups(engine.namespace)


def _remove_groups(name: str) -> None:
    """Remove the control groups that the daemon has made, and leaves."""
    for place in (CGROUPS, *CGROUPS.iterdir()):
        for group in sorted((place / name).glob("**/"), reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()


def _wait_until_it_answers(engine: Engine, daemon: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and daemon.poll() is None:
        with contextlib.suppress(EngineError):
            engine.docker("version")
            return
        time.sleep(0.1)
    log = (engine.folder / "dockerd.log").read_text(errors="replace")
    raise EngineError(f"the container engine does not start:\n{log[-4000:]}")
