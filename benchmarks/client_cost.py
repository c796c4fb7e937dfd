"""Prints what a call costs its caller, by the client and by gRPC's stub, in one run."""

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from benchmarks.callers.timed import KINDS, SIZES, Case
from harness import isolated
from harness.load import (
    CLIENT_CORE,
    describe_ratios,
    pinned,
    print_table,
    repository_option,
    server_command,
    started,
)
from harness.server_process import ROOT

ADDRESS = "127.0.0.1:50066"
STUB, ARRAYS, CLIENT, AIO_STUB, AIO_CLIENT, TRITON = CALLERS = (
    *("stub", "stub, arrays", "Client", "aio stub", "aio.Client", "tritonclient"),
)
BESIDE = {ARRAYS: STUB, CLIENT: STUB, AIO_STUB: STUB, AIO_CLIENT: AIO_STUB, TRITON: STUB}
"""Whose cost that of each caller is divided by."""

WARM_UP_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call takes, in microseconds: processor time of all threads of the caller, and time."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Caller:
    """A process that calls as it is told."""

    process: "subprocess.Popen[str]"

    def measure(self, case: Case, calls: int) -> Cost:
        """Return what a call costs, on the average of so many."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([case, calls]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise click.ClickException(f"the process of {case.caller} has ended")
        return Cost(*(seconds / calls * 1e6 for seconds in json.loads(answer)))


@contextlib.contextmanager
def calling(module: str, python: str | Path = sys.executable) -> Iterator[Caller]:
    """A process that calls, on the core of clients, until the block ends."""
    command = [*pinned(CLIENT_CORE), str(python), "-m", f"benchmarks.callers.{module}", ADDRESS]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Caller(process)
        assert process.stdin is not None
        process.stdin.close()


def triton_python() -> Path | None:
    """Return a Python that has tritonclient; None, and why, when it can't be had."""
    try:
        return isolated.install("tritonclient") / "python"
    except (OSError, subprocess.CalledProcessError) as error:
        click.echo(f"tritonclient is left out, since it could not be installed: {error}", err=True)
        return None


def measure(callers: Mapping[str, Caller], rounds: int, calls: int) -> dict[Case, list[Cost]]:
    """Let the callers call in turns; returns what each round cost."""
    cases = [
        Case(name, size, kind)
        for size in SIZES
        for kind in KINDS
        for name in CALLERS
        if name in callers
    ]
    found: dict[Case, list[Cost]] = {case: [] for case in cases}
    turns = [(turn, case) for turn in range(rounds + WARM_UP_ROUNDS) for case in cases]
    for turn, case in track(turns, "measuring", console=Console(stderr=True)):
        cost = callers[case.caller].measure(case, max(1, calls // (1 if case.images == 1 else 25)))
        if turn >= WARM_UP_ROUNDS:
            found[case].append(cost)
    return found


def ratio(found: Mapping[Case, Sequence[Cost]], case: Case, other: str | None) -> str:
    """Return the median of the rounds' ratios of processor time, the least and the largest."""
    beside = found.get(case._replace(caller=other or ""), ())
    return describe_ratios([one.cpu for one in found[case]], [one.cpu for one in beside])


@click.command()
@click.option("--rounds", default=100, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--calls",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    help="Of one image in each round; of 1,000 images a 25th.",
)
@repository_option
def main(rounds: int, calls: int, repository: Path) -> None:
    """Measure callers in turns, each a process of its own on one core, the server on another.

    A caller makes one call after the other. The stub has its message ready and leaves its answer
    as a message; clients take arrays and give arrays. The figures are medians of the rounds.
    """
    with contextlib.ExitStack() as stack:
        models = ("--repository", str(repository.resolve()))
        stack.enter_context(started(server_command(ADDRESS, *models), ADDRESS))
        blocking = stack.enter_context(calling("blocking"))
        tasks = stack.enter_context(calling("tasks"))
        callers = {
            STUB: blocking,
            ARRAYS: blocking,
            CLIENT: blocking,
            AIO_STUB: tasks,
            AIO_CLIENT: tasks,
        }
        if (python := triton_python()) is not None:
            callers[TRITON] = stack.enter_context(calling("triton", python))
        found = measure(callers, rounds, calls)
    rows = [
        (
            *(f"{case.images:,}", case.kind, case.caller),
            f"{statistics.median(cost.cpu for cost in costs):,.0f}",
            f"{statistics.median(cost.wall for cost in costs):,.0f}",
            *(ratio(found, case, BESIDE.get(case.caller)), BESIDE.get(case.caller, "")),
        )
        for case, costs in found.items()
    ]
    print_table(("images", "kind", "caller", "CPU us a call", "us a call", "CPU, of", ""), rows, 3)


if __name__ == "__main__":
    main()
