"""Prints what a call costs the server in each of its forms, beside servers that do nothing for it,
in one run.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import click

from harness.forms import FORMS
from harness.load import (
    Load,
    Measured,
    Shape,
    describe_ratios,
    measure,
    median,
    need_h2load,
    print_table,
    repository_option,
    server_command,
)

SHAPES = (Shape(1, 1), Shape(1, 32), Shape(8, 8), Shape(16, 16), Shape(4, 2, 64), Shape(4, 2, 1024))

SERVER, NOOP, LANE_OFF, NOOP_THREADS = "server", "no-op, lane", "server, lane off", "no-op, threads"
BESIDE = "server, other"

FLOATS, BYTES = "Predict floats", "Predict bytes"

COMPARED = (
    ("ModelInfer FP32", FLOATS),
    ("ModelInfer id", FLOATS),
    ("ModelInfer outputs", FLOATS),
    ("ModelInfer typed", FLOATS),
    ("ModelInfer UINT8", BYTES),
    (BYTES, FLOATS),
)
"""Forms whose cost is compared with that of another one."""


def commands(repository: Path, beside: Path | None) -> dict[str, tuple[str, list[str]]]:
    """Return each server's address and command line."""
    noop = [sys.executable, "-m", "harness.references.noop"]
    addresses = [f"127.0.0.1:{50061 + number}" for number in range(5)]
    models = ("--repository", str(repository.resolve()))
    servers = {
        SERVER: (addresses[0], server_command(addresses[0], *models)),
        NOOP: (addresses[1], [*noop, addresses[1], "--lane"]),
        LANE_OFF: (addresses[2], server_command(addresses[2], *models, "--lane", "off")),
        NOOP_THREADS: (addresses[3], [*noop, addresses[3]]),
    }
    if beside is not None:
        command = ["env", f"--chdir={beside}", *server_command(addresses[4], *models)]
        servers[BESIDE] = addresses[4], command
    return servers


def loads_of(shapes: Sequence[Shape], forms: Sequence[str], servers: Sequence[str]) -> list[Load]:
    """Return what the servers get in each round, in turns: the no-op answers Predict only, and the
    thread pool is compared by Predict alone.
    """
    only = {NOOP: (FLOATS, BYTES), LANE_OFF: (FLOATS,), NOOP_THREADS: (FLOATS,)}
    return [
        Load(server, shape, FORMS[form])
        for shape in shapes
        for form in forms
        for server in servers
        if form in only.get(server, forms)
    ]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one server and form, to be divided by that of another."""

    one: tuple[str, str]
    other: tuple[str, str]
    figure: str = "cpu"

    def text(self, found: Mapping[Load, Sequence[Measured]], shape: Shape) -> str:
        """Return the median of the rounds' ratios, the least and the largest; nothing where one of
        both was not measured.
        """
        loads = [Load(server, shape, FORMS[form]) for server, form in (self.one, self.other)]
        return describe_ratios(
            *([getattr(one, self.figure) for one in found.get(load, ())] for load in loads)
        )


def ratios() -> dict[str, Ratio]:
    """Return what is compared, by its name in the table."""
    rows = {
        f"CPU, {one} / {other}": Ratio((SERVER, one), (SERVER, other)) for one, other in COMPARED
    }
    for name, form in FORMS.items():
        idle = BYTES if form.is_bytes else FLOATS
        rows[f"CPU, {name} / no-op"] = Ratio((SERVER, name), (NOOP, idle))
    for name in (FLOATS, BYTES):
        rows[f"calls/s, {name} / no-op"] = Ratio((SERVER, name), (NOOP, name), "calls_per_second")
    rows[f"CPU, {FLOATS} / thread pool"] = Ratio((SERVER, FLOATS), (LANE_OFF, FLOATS))
    for name in FORMS:
        both = (SERVER, name), (BESIDE, name)
        rows[f"CPU, {name} / other"] = Ratio(*both)
        rows[f"calls/s, {name} / other"] = Ratio(*both, "calls_per_second")
    return rows


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, help="Of each load.")
@repository_option
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    type=click.Choice(list(map(str, SHAPES))),
    help="Only this load; may be repeated.",
)
@click.option(
    "--form",
    "forms",
    multiple=True,
    type=click.Choice(list(FORMS)),
    help="Only calls of this form; may be repeated.",
)
@click.option(
    "--references/--no-references",
    default=True,
    show_default=True,
    help="Beside the no-op and the thread pool.",
)
@click.option(
    "--beside",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="Beside the server in this folder, such as a copy from before a change.",
)
def main(
    rounds: int,
    seconds: float,
    repository: Path,
    shapes: tuple[str, ...],
    forms: tuple[str, ...],
    references: bool,
    beside: Path | None,
) -> None:
    """Measure servers in turns, each pinned to one core, the load generator to another.

    All forms go to the same running server. CPU is the server's, user and system, per call. The
    figures are medians of the rounds; beside ratios stand the least and the largest of a round. An
    id is another one in each call.
    """
    need_h2load()
    chosen = [shape for shape in SHAPES if not shapes or str(shape) in shapes]
    names = [form for form in FORMS if not forms or form in forms]
    servers = commands(repository, beside)
    if not references:
        servers = {name: servers[name] for name in servers if name in (SERVER, BESIDE)}
    found = measure(servers, loads_of(chosen, names, list(servers)), rounds, seconds)
    rows = [
        (
            *(str(load.shape), load.server),
            *(name for name in names if FORMS[name] is load.form),
            *(f"{figure:,.0f}" for figure in astuple(median(measured))[:3]),
            f"{median(measured).cpu:,.1f}",
        )
        for load, measured in found.items()
    ]
    headings = ("calls/s", "p50 us", "p99 us", "CPU us a call")
    print_table(("in flight", "server", "form", *headings), rows, 3)
    compared = [
        (name, *(ratio.text(found, shape) for shape in chosen)) for name, ratio in ratios().items()
    ]
    print_table(("ratio", *map(str, chosen)), [row for row in compared if any(row[1:])])


if __name__ == "__main__":
    main()
