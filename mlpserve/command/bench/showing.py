"""Shows in a terminal how far a load is, and has Ctrl-C end it early."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from mlpserve.bench.load.processes import Interrupt
from mlpserve.bench.load.run import Progress
from mlpserve.bench.result import Plan
from mlpserve.terminal.durations import format_duration
from mlpserve.terminal.interrupts import interrupts_to


@contextmanager
def count_interrupts() -> Iterator[Interrupt]:
    """Count how often Ctrl-C is pressed within the block, as far as this process hears of it."""
    interrupt = Interrupt()

    def add(_number: int, _frame: FrameType | None) -> None:
        interrupt.count += 1

    with interrupts_to(add):
        yield interrupt


@contextmanager
def show_progress(plan: Plan, interrupt: Interrupt) -> Iterator[Callable[[Progress], None]]:
    """Show a run on standard error, if that is a terminal; the block gets a function for it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.fields[time]}"), BarColumn(20), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("warming up", total=plan.seconds, time="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=min(progress.seconds, plan.seconds),
                time=f"{progress.seconds:.0f} of {plan.seconds:g} s",
                description=describe_progress(progress, is_ending=interrupt.count > 0),
            )

        yield show


def describe_progress(progress: Progress, *, is_ending: bool) -> str:
    """Return a line about a run that goes on."""
    parts = [f"{progress.answered:,} answered", f"{progress.in_flight:,} in flight"]
    if progress.p99_seconds is not None:
        parts.append(f"p99 {format_duration(progress.p99_seconds)}")
    if progress.failed:
        parts.append(f"[red]{progress.failed:,} failed[/red]")
    if progress.unsent:
        parts.append(f"[red]{progress.unsent:,} not sent[/red]")
    if is_ending:
        parts.append("ending; Ctrl-C again gives up what is in flight")
    return "  ".join(parts)
