"""Prints what calls over HTTP cost, and what callers of gRPC notice of them."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from harness.load import (
    CLIENT_CORE,
    Measured,
    Shape,
    cpu_seconds,
    describe_ratios,
    family,
    need_h2load,
    pinned,
    print_table,
    repository_option,
    run,
    server_command,
    started,
)
from harness.waiting import wait_for

GRPC, HTTP_PORT = "127.0.0.1:50087", 50088
SHAPES = (Shape(1, 1), Shape(8, 8))
WARM_SECONDS = 1
"""What `run` takes to warm up, during which there are calls over HTTP too."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the server."""

    name: str
    pid: int

    @property
    def cpu(self) -> float:
        """The CPU time that it has used."""
        return cpu_seconds(self.pid)


def processes(pid: int) -> dict[str, Process]:
    """Return the worker and HTTP's process of a server."""
    found: dict[str, Process] = {}
    for child in family(pid)[1:]:
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        for name in ("worker", "http"):
            if f"server.{name}" in words:
                found[name] = Process(name, child)
    return found


def begin_calls(file: Path, rate: float, seconds: float) -> "subprocess.Popen[str]":
    """Have the API called from the core of clients."""
    caller = ("-m", "benchmarks.callers.http", "127.0.0.1", str(HTTP_PORT), "/v1/predict")
    command = [*pinned(CLIENT_CORE), sys.executable, *caller, str(file), str(rate), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def begin_grpc(rate: float, seconds: float) -> "subprocess.Popen[str]":
    """Have the gRPC port called as often from the core of clients."""
    caller = ("-m", "benchmarks.callers.steady", GRPC, str(rate), str(seconds))
    command = [*pinned(CLIENT_CORE), sys.executable, *caller]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end_calls(calls: "subprocess.Popen[str]") -> list[float]:
    """Return how many were answered, and their median and 99th percentile in microseconds."""
    told, _ = calls.communicate()
    if calls.returncode:
        raise click.ClickException("calls failed")
    return [float(word) for word in told.split()]


def cost_alone(pid: int, file: Path, rate: float, seconds: float) -> list[float]:
    """Return the microseconds of a call over HTTP: median, 99th percentile, CPU of HTTP's process
    and of the worker; with nothing else to do.
    """
    parts = processes(pid)
    before = [parts[name].cpu for name in ("http", "worker")]
    number, *latency = end_calls(begin_calls(file, rate, seconds))
    spent = [parts[name].cpu - cpu for name, cpu in zip(("http", "worker"), before, strict=True)]
    return [*latency, *(cpu / number * 1e6 for cpu in spent)]


def row(name: str, what: str, alone: Sequence[Measured], beside: Sequence[Measured]) -> list[str]:
    """Return the medians, and how they compare in each round."""
    cells = [name, what]
    for figure in ("calls_per_second", "p50", "p99"):
        ones, others = ([getattr(one, figure) for one in both] for both in (alone, beside))
        cells += [f"{statistics.median(values):,.0f}" for values in (ones, others)]
        cells.append(describe_ratios(others, ones))
    return cells


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, help="Of each load.")
@click.option("--rate", default=200.0, show_default=True, help="Calls over HTTP in a second.")
@repository_option
def main(rounds: int, seconds: float, rate: float, repository: Path) -> None:
    """Load gRPC with and without calls of one image over HTTP, and with as many over another
    connection of gRPC, in turns.

    All processes of the server are on one core, those that call it on the other.
    """
    need_h2load()
    command = server_command(
        GRPC, "--repository", str(repository), "--http-address", f"127.0.0.1:{HTTP_PORT}"
    )
    alone: dict[Shape, list[Measured]] = {shape: [] for shape in SHAPES}
    beside: dict[Shape, list[Measured]] = {shape: [] for shape in SHAPES}
    control: dict[Shape, list[Measured]] = {shape: [] for shape in SHAPES}
    costs = []
    with started(command, GRPC) as process, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body"
        file.write_text(json.dumps({"pixels": [0.5] * 784}))
        wait_for(lambda: len(processes(process.pid)) == 2)
        # What only the first call has to do.
        end_calls(begin_calls(file, rate, WARM_SECONDS))
        turns = [shape for _ in range(rounds) for shape in SHAPES]
        for shape in track(turns, "measuring", console=Console(stderr=True)):
            alone[shape].append(run(process, GRPC, shape, seconds))
            calls = begin_calls(file, rate, seconds + 2 * WARM_SECONDS)
            beside[shape].append(run(process, GRPC, shape, seconds))
            end_calls(calls)
            calls = begin_grpc(rate, seconds + 2 * WARM_SECONDS)
            control[shape].append(run(process, GRPC, shape, seconds))
            end_calls(calls)
            costs.append(cost_alone(process.pid, file, rate, seconds))
    compared = [(name, "beside", "ratio") for name in ("calls/s", "p50 us", "p99 us")]
    headings = ("in flight", "beside", *(cell for cells in compared for cell in cells))
    kinds = {"HTTP": beside, "gRPC": control}
    rows = [
        row(str(shape), kind, alone[shape], measured[shape])
        for shape in SHAPES
        for kind, measured in kinds.items()
    ]
    print_table(headings, rows, names=2)
    figures = [f"{statistics.median(values):,.0f}" for values in zip(*costs, strict=True)]
    print_table(("p50 us", "p99 us", "CPU us, HTTP", "CPU us, worker"), [figures], names=0)


if __name__ == "__main__":
    main()
