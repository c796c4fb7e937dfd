"""Runs plans for the command: with its settings, its metrics and what it shows meanwhile."""

import dataclasses
from dataclasses import dataclass

import click

from mlpserve.bench.load.processes import Interrupt, Interrupted, LoadError
from mlpserve.bench.load.run import load_settings, run
from mlpserve.bench.result import Plan, Result
from mlpserve.bench.stages import measure_stages, scrape
from mlpserve.command.bench.images import ImageSource
from mlpserve.command.bench.plan import choose_processes
from mlpserve.command.bench.showing import show_progress
from mlpserve.command.messages import explain
from mlpserve.command.options import Reach
from mlpserve.errors import MlpserveError
from mlpserve.metrics.exposition import KNOWN_BY, Samples
from mlpserve.metrics.looks import Watch, total, totals

_METRICS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A result, and what else is to be said of the server: why there are no stages of it, or that
    not all of its workers were loaded.
    """

    result: Result
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measurer:
    """Measures plans that differ in their rate alone.

    `processes` is None when the rate decides, `metrics` when there are none to read.
    """

    plan: Plan
    processes: int | None
    reach: Reach
    images: ImageSource
    metrics: str | None
    interrupt: Interrupt

    def measure(self, rate: float | None) -> Measurement:
        """Run the plan at a rate, or as a closed loop, or end the command with what hinders it."""
        processes = self.processes or choose_processes(rate, self.plan.concurrency)
        plan = dataclasses.replace(
            self.plan,
            rate=rate,
            processes=processes,
            connections=max(self.plan.connections, processes),
        )
        before: list[Samples | str] = []

        def look() -> None:
            if self.metrics is not None:
                before.append(scrape(self.metrics, _METRICS_SECONDS))

        try:
            settings = load_settings(
                plan.address, plan.timeout_seconds, self.reach.tls, self.reach.token
            )
            with show_progress(plan, self.interrupt) as watch:
                result = run(
                    plan,
                    settings,
                    self.images,
                    on_begin=look,
                    watch=watch,
                    interrupt=self.interrupt,
                )
        except (MlpserveError, LoadError, ValueError, OSError) as error:
            raise click.ClickException(explain(error)) from error
        except Interrupted as error:
            raise click.Abort from error
        named = dataclasses.replace(result.plan, images=self.images.name)
        return self._add_stages(dataclasses.replace(result, plan=named), before)

    def _add_stages(self, result: Result, before: list[Samples | str]) -> Measurement:
        if self.metrics is None or not before:
            return Measurement(result)
        pages = before[0], scrape(self.metrics, _METRICS_SECONDS)
        match pages:
            case (dict() as first, dict() as last):
                stages = measure_stages(first, last, result.plan.protocol)
                note = describe_workers(first, last, result.plan.connections)
                return Measurement(dataclasses.replace(result, stages=stages), note)
        return Measurement(result, next(page for page in pages if isinstance(page, str)))


def describe_workers(before: Samples, after: Samples, connections: int) -> str:
    """Return a sentence if some of the server's workers got no call meanwhile, else nothing."""
    watch = Watch()
    watch.look(before, 0.0)
    look = watch.look(after, 1.0)
    calls = totals(look.increases, "grpc_server_handled_total", "worker")
    n_loaded = sum(count > 0 for count in calls.values())
    n_workers = round(total(after, KNOWN_BY))
    if not 0 < n_loaded < n_workers:
        return ""
    return (
        f"{n_loaded} of the server's {n_workers} workers got calls, since connections are spread "
        f"over them and not calls; to load all, give more than --connections {connections}"
    )
