"""`mlpserve bench` shows a pause as callers see it, and counts what the server counts."""

import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness import scrape
from harness.server_process import ServerProcess, start_server
from mlpserve.bench.buckets import read_bounds, read_counts
from mlpserve.bench.findings import describe_findings
from mlpserve.bench.histogram import MICROSECONDS, quantile_seconds
from mlpserve.bench.load.processes import Interrupt
from mlpserve.bench.load.run import Progress, load_settings, run
from mlpserve.bench.report import draw_result
from mlpserve.bench.result import Arrivals, Form, Plan, Protocol, Result, Window
from mlpserve.connection.settings import Settings

RATE = 1000.0
CALLERS = 4
PAUSE_SECONDS = 2.0
ANSWERS = 500
"""So many arrive before the server is stopped, and again after it goes on."""

HANDLED = "grpc_server_handled_total"
IMAGES = "mlpserve_images_total"


@pytest.fixture(scope="module")
def alone(repository: Path) -> Iterator[ServerProcess]:
    """A server that nobody else calls."""
    with start_server(repository) as server:
        yield server


def settings(plan: Plan) -> Settings:
    return load_settings(plan.address, plan.timeout_seconds)


@dataclass(slots=True)
class Pause:
    """Stops a process once so many calls have been answered, has it go on two seconds later, and
    ends the run when so many more have been.
    """

    pid: int
    interrupt: Interrupt = field(default_factory=Interrupt)
    began: float | None = None
    ended: float | None = None
    answered: int = 0

    def watch(self, progress: Progress) -> None:
        now = time.time()
        if self.began is None:
            if progress.answered >= ANSWERS:
                os.kill(self.pid, signal.SIGSTOP)
                self.began = time.time()
        elif self.ended is None:
            if now - self.began >= PAUSE_SECONDS:
                os.kill(self.pid, signal.SIGCONT)
                self.ended, self.answered = time.time(), progress.answered
        elif progress.answered >= self.answered + 2 * ANSWERS + RATE * PAUSE_SECONDS:
            self.interrupt.count = 1

    @property
    def seconds(self) -> float:
        assert self.began is not None
        assert self.ended is not None
        return self.ended - self.began


def load_with_a_pause(server: ServerProcess, plan: Plan) -> tuple[Result, Pause]:
    (worker,) = server.workers
    pause = Pause(worker)
    try:
        result = run(plan, settings(plan), watch=pause.watch, interrupt=pause.interrupt)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert result.codes == {"OK": result.sent}
    assert result.unsent == 0
    return result, pause


def count_slower(result: Result, seconds: float) -> int:
    """How many calls took longer from when they were due."""
    bounds, counts = read_bounds(result.intended), read_counts(result.intended)
    return int(counts[bounds[: len(counts)] > seconds].sum())


def drawn(result: Result) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(draw_result(result))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def check_stall(result: Result, pause: Pause) -> list[Window]:
    """The tool names the time in which the server was stopped; returns the seconds within it."""
    assert pause.ended is not None
    longest = max(result.stalls, key=lambda stall: stall.end_seconds - stall.begin_seconds)
    assert longest.end_seconds - longest.begin_seconds > pause.seconds / 2
    assert longest.begin_seconds < pause.ended - result.started_at < longest.end_seconds + 1.0
    assert f"from second {longest.begin_seconds:.1f} to {longest.end_seconds:.1f}" in " ".join(
        describe_findings(result)
    )
    first, last = math.ceil(longest.begin_seconds), math.floor(longest.end_seconds)
    return list(result.windows[first:last])


def test_an_open_loop_sees_a_pause(alone: ServerProcess) -> None:
    before = scrape.by_label(alone, HANDLED, "grpc_code", grpc_method="Predict")
    n_images = scrape.value(alone, IMAGES)
    plan = Plan(
        alone.grpc_address,
        rate=RATE,
        seconds=300.0,
        timeout_seconds=120.0,
        max_in_flight=1_000_000,
    )
    result, pause = load_with_a_pause(alone, plan)

    # Of the calls that were due meanwhile, the first waited for all of it and the last for nothing.
    n_waiting = RATE * pause.seconds
    assert count_slower(result, pause.seconds / 2) > 0.4 * n_waiting
    p99 = quantile_seconds(result.intended, 0.99)
    assert p99 is not None
    assert p99 > 0.9 * pause.seconds * (1 - 0.01 * result.sent / n_waiting)
    silent = check_stall(result, pause)
    assert [window.sent for window in silent] == [RATE] * len(silent)
    assert [window.answered for window in silent] == [0] * len(silent)
    assert "No answer arrived for" in drawn(result)
    print(drawn(result))

    after = scrape.by_label(alone, HANDLED, "grpc_code", grpc_method="Predict")
    assert after - before == {"OK": result.sent + result.unmeasured}
    assert scrape.value(alone, IMAGES) - n_images == result.images + result.unmeasured


def test_a_closed_loop_hides_it(alone: ServerProcess) -> None:
    plan = Plan(alone.grpc_address, concurrency=CALLERS, seconds=300.0, timeout_seconds=120.0)
    result, pause = load_with_a_pause(alone, plan)
    # A call of each caller waited, and no other was sent.
    silent = check_stall(result, pause)
    assert sum(window.sent for window in silent) <= CALLERS
    assert count_slower(result, pause.seconds / 2) >= 1
    p99 = quantile_seconds(result.service, 0.99)
    assert p99 is not None
    assert p99 < pause.seconds / 2
    print(drawn(result))


@pytest.mark.parametrize(
    ("protocol", "method"), [(Protocol.PREDICT, "Predict"), (Protocol.INFER, "ModelInfer")]
)
@pytest.mark.parametrize("form", Form)
def test_it_counts_what_the_server_counts(
    alone: ServerProcess, protocol: Protocol, method: str, form: Form
) -> None:
    plan = Plan(
        alone.grpc_address,
        protocol,
        form,
        rate=200.0,
        arrivals=Arrivals.POISSON,
        seconds=1.0,
        warmup_seconds=0.0,
        batch=((1, 0.5), (7, 0.5)),
        processes=2,
        connections=3,
        timeout_seconds=120.0,
        check=True,
    )
    before: list[dict[str, float]] = []

    def look() -> dict[str, float]:
        return {
            "calls": scrape.value(alone, HANDLED, grpc_method=method, grpc_code="OK"),
            "images": scrape.value(alone, IMAGES),
        }

    result = run(plan, settings(plan), on_begin=lambda: before.append(look()))
    after = look()
    assert result.codes == {"OK": result.sent}
    assert result.wrong_labels == 0
    assert result.sent == sum(window.sent for window in result.windows) > 100
    assert after["calls"] - before[0]["calls"] == result.sent
    assert after["images"] - before[0]["images"] == result.images > result.sent


def test_its_latencies_go_with_the_servers(alone: ServerProcess) -> None:
    """Each call took longer here than there, and by no more than all of them together did."""
    pages: list[tuple[dict[float, float], float]] = []

    def look() -> tuple[dict[float, float], float]:
        name, method = "grpc_server_handling_seconds", {"grpc_method": "Predict"}
        return scrape.buckets(alone, name, **method), scrape.value(alone, f"{name}_sum", **method)

    plan = Plan(
        alone.grpc_address,
        concurrency=1,
        seconds=2.0,
        batch=((64, 1.0),),
        timeout_seconds=120.0,
    )
    result = run(plan, settings(plan), on_begin=lambda: pages.append(look()))
    ((before, first), (after, last)) = (pages[0], look())
    bounds = np.array(sorted(after))
    counts = np.array([after[bound] - before[bound] for bound in bounds])
    assert counts[-1] == result.answered
    network = result.service.get_mean_value() / MICROSECONDS - (last - first) / result.answered
    assert network > 0
    for quantile in (0.5, 0.9):
        here = quantile_seconds(result.service, quantile)
        assert here is not None
        bucket = int(np.searchsorted(counts, quantile * counts[-1]))
        assert here > (bounds[bucket - 1] if bucket else 0.0)
        # At most so many calls took longer in the server, and as many times the mean in between.
        rest = (1 - quantile) / 2
        above = bounds[int(np.searchsorted(counts, (1 - rest) * counts[-1]))]
        assert here < 1.01 * (above + network / rest)
