"""What the benchmarks share: servers in processes of their own, and load from h2load.

h2load (package nghttp2-client) is a load generator in C. It takes any HTTP 200 for a success, so
the servers' own counts must say that each call was answered OK.
"""

import contextlib
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import click
import grpc
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from exporter.export import graph, publishing
from harness.calls import raw_method
from harness.forms import PREDICT_FLOATS, Form
from harness.networks import random_network
from server.rpc.endpoint import PREDICT
from server.settings.addresses import split_address

SERVER_CORE, CLIENT_CORE = 0, 1
START_SECONDS = 30.0

WIDTH = 200
"""Columns of a table that is not printed to a terminal."""

CHANGING_IDS = Path(__file__).with_name("changing_ids.c")

repository_option = click.option(
    "--repository",
    default="models",
    show_default=True,
    type=click.Path(path_type=Path, exists=True),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A load: calls in flight are connections times streams, each call with some images."""

    connections: int
    streams: int
    images: int = 1

    def __str__(self) -> str:
        """Return it as 8x8, or 8x8, 64 images."""
        images = f", {self.images} images" if self.images > 1 else ""
        return f"{self.connections}x{self.streams}{images}"


@dataclass(frozen=True, slots=True)
class Load:
    """What calls a server, by its name, gets and how many of them at once."""

    server: str
    shape: Shape
    form: Form = PREDICT_FLOATS


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load brought: calls a second, latency in microseconds, server CPU per call in them."""

    calls_per_second: float
    p50: float
    p99: float
    cpu: float


def need_h2load() -> str:
    """Return the program, or end with how to get it."""
    found = shutil.which("h2load")
    if found is None:
        raise click.ClickException("h2load is missing: apt-get install nghttp2-client")
    return found


def pinned(core: int) -> list[str]:
    """Return what makes a command line run on one core, where the system has it and can do that."""
    can = shutil.which("taskset") and core in os.sched_getaffinity(0)
    return ["taskset", "-c", str(core)] if can else []


def pin_caller() -> None:
    """Keep this process to the core of clients, if the machine has it."""
    if CLIENT_CORE in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {CLIENT_CORE})


@contextlib.contextmanager
def started(command: Sequence[str], address: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server on the server's core until the block ends; begins when it answers."""
    # Servers may share a port, and the load would then go to any of them.
    with (
        contextlib.suppress(OSError),
        socket.create_connection(split_address(address, "address"), 1),
    ):
        raise click.ClickException(f"{address} is another program's: end it first")
    with subprocess.Popen([*pinned(SERVER_CORE), *command]) as process:
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=START_SECONDS)
            yield process
        finally:
            process.terminate()


def server_command(address: str, *arguments: str) -> list[str]:
    """Return the command line of the server."""
    return [
        *(sys.executable, "-m", "server", "--grpc-address", address),
        *("--http-address", "127.0.0.1:0", "--drain-delay-seconds", "0"),
        *("--log-level", "warning", "--workers", "1", *arguments),
    ]


@contextlib.contextmanager
def repository_of(*sizes: int) -> Iterator[Path]:
    """A repository with a network of these layer sizes and random weights, gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        publishing.publish(graph.build(random_network(sizes)), Path(folder), "benchmark")
        yield Path(folder)


def family(pid: int) -> list[int]:
    """Return a process and those that it has started, such as the server's workers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def memory_mib(pid: int, figure: str = "VmRSS") -> float:
    """Return how much memory a process and its children have in use, or another such figure of
    proc_pid_status(5), in MiB.
    """
    found = 0
    for one in family(pid):
        for line in Path(f"/proc/{one}/status").read_text().splitlines():
            found += int(line.split()[1]) if line.startswith(f"{figure}:") else 0
    return found / 1024


def h2load(
    folder: str, address: str, shape: Shape, *arguments: str, form: Form = PREDICT_FLOATS
) -> list[str]:
    """Return what calls a server, on the core of clients, with a body that is put into the folder.

    An id in the body is another one in each call.
    """
    body, message = Path(folder) / "body", form.write(shape.images)
    content = struct.pack(">BI", 0, len(message)) + message
    body.write_bytes(content)
    environment = changing_ids(folder, content, form.identifier) if form.identifier else []
    url = f"http://{address}{form.path}"
    return [
        *(*environment, *pinned(CLIENT_CORE), need_h2load(), url, "--data", str(body)),
        *("-c", str(shape.connections), "-m", str(shape.streams), "-t", "1"),
        *("-H", "content-type: application/grpc", "-H", "te: trailers", *arguments),
    ]


def changing_ids(folder: str, content: bytes, identifier: str) -> list[str]:
    """Return what makes a command line of h2load change the id in its body from call to call."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise click.ClickException("a C compiler is missing: apt-get install gcc libc6-dev")
    library = Path(folder) / "changing_ids.so"
    options = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([compiler, *options, str(CHANGING_IDS)], check=True)
    place = f"ID_OFFSET={content.index(identifier.encode())}", f"ID_SIZE={len(identifier)}"
    return ["env", f"LD_PRELOAD={library}", *place]


def run(
    process: "subprocess.Popen[bytes]",
    address: str,
    shape: Shape,
    seconds: float,
    form: Form = PREDICT_FLOATS,
) -> Measured:
    """Load a server for some seconds, after one to warm up."""
    with grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        # To h2load an error is as good as an answer.
        raw_method(channel, form.path)(form.write(shape.images), timeout=START_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = h2load(folder, address, shape, form=form)
        duration = ["-D", f"{max(1, round(seconds))}", "--log-file", str(log)]
        subprocess.run([*command, "-D", "1"], check=True, capture_output=True)
        cpu, begin = cpu_seconds(process.pid), time.perf_counter()
        subprocess.run([*command, *duration], check=True, capture_output=True)
        cpu, wall = cpu_seconds(process.pid) - cpu, time.perf_counter() - begin
        rows = [line.split() for line in log.read_text().splitlines()]
    latencies = np.array([int(latency) for _, status, latency in rows if status == "200"])
    if len(latencies) < len(rows) or not len(latencies):
        raise click.ClickException(f"{len(rows) - len(latencies)} of {len(rows)} calls failed")
    return Measured(
        calls_per_second=len(latencies) / wall,
        p50=float(np.percentile(latencies, 50)),
        p99=float(np.percentile(latencies, 99)),
        cpu=cpu / len(latencies) * 1e6,
    )


def measure(
    servers: Mapping[str, tuple[str, Sequence[str]]],
    loads: Sequence[Load],
    rounds: int,
    seconds: float,
) -> dict[Load, list[Measured]]:
    """Put loads on running servers in turns; returns what each round brought.

    `servers` are their addresses and command lines, by their names.
    """
    found: dict[Load, list[Measured]] = {load: [] for load in loads}
    with contextlib.ExitStack() as stack:
        running = {
            name: (stack.enter_context(started(command, address)), address)
            for name, (address, command) in servers.items()
        }
        turns = [load for _ in range(rounds) for load in loads]
        for load in track(turns, "measuring", console=Console(stderr=True)):
            process, address = running[load.server]
            found[load].append(run(process, address, load.shape, seconds, load.form))
    return found


def latencies(channel: grpc.Channel, seconds: float) -> list[float]:
    """Return what calls of one image took, in seconds, one after the other for so long."""
    message, predict, found = PREDICT_FLOATS.write(1), raw_method(channel, PREDICT), []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        predict(message, timeout=30, wait_for_ready=True)
        found.append(time.perf_counter() - begin)
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have used, of all their threads."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def median(measured: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    return Measured(*map(statistics.median, zip(*map(astuple, measured), strict=True)))


def describe_ratios(ones: Iterable[float], others: Iterable[float]) -> str:
    """Return the median of the rounds' ratios, the least and the largest; nothing without rounds.

    Two loads that follow each other meet about the same machine.
    """
    ratios = sorted(one / other for one, other in zip(ones, others, strict=False))
    if not ratios:
        return ""
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> None:
    """Print a table whose columns hold figures, but for the first ones."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(
            heading, justify="left" if index < names else "right", no_wrap=index >= names
        )
    for row in rows:
        table.add_row(*row)
    # What is written to a file need not fit into a window.
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
