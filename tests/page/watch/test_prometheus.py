"""The page, `mlpserve top` and a real Prometheus compute the same numbers from the same samples."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
import yaml
from playwright.sync_api import Page

from mlpserve.metrics import figures
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.figures import Calls
from mlpserve.metrics.looks import Look, RecentWatch
from mlpserve.metrics.versions import Version, versions
from tests.deploy import asking
from tests.deploy.prometheus import Prometheus
from tests.deploy.rules import PROMETHEUS
from tests.deploy.watched import PANELS
from tests.page.watch.comparing import assert_same, read_by_page, read_by_top
from tests.page.watch.imported import start_prometheus
from tests.page.watch.recorded import Recorded

WINDOW_SECONDS = 16
"""A power of two, by which counts become rates and back without rounding: at a bucket's edge a
quantile is decided by the last bit."""

Numbers = Mapping[str, float]
"""By the legend of a panel."""


@pytest.fixture(scope="module")
def look(recorded: Recorded) -> Look:
    """What happened in the last seconds."""
    watch = RecentWatch(WINDOW_SECONDS)
    looks = [
        watch.look(parse(text), time)
        for text, time in zip(recorded.pages, recorded.times, strict=True)
    ]
    return looks[-1]


@dataclass(frozen=True, slots=True)
class Asking:
    """A Prometheus that holds the recorded pages, which is asked at the time of the last."""

    prometheus: Prometheus
    time: float

    def ask(self, expression: str, **chosen: str) -> list[asking.Series]:
        windows = dict.fromkeys(("__rate_interval", "__interval"), f"{WINDOW_SECONDS}s")
        every = dict.fromkeys(("instance", "worker", "method", "model", "version"), ".*")
        filled = asking.fill(expression, {**windows, **every, **chosen})
        return asking.ask(self.prometheus, filled, self.time)

    def shown(self, title: str, **chosen: str) -> Numbers:
        """Return what a panel shows, by legend."""
        _, panel = PANELS[title]
        return {
            target.name(series.labels): series.value
            for target in panel.targets
            for series in self.ask(target.expression, **chosen)
        }


@pytest.fixture(scope="module")
def prometheus(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    pages = zip(recorded.pages, recorded.times, strict=True)
    with start_prometheus(tmp_path_factory.mktemp("prometheus"), pages) as running:
        yield Asking(running, recorded.times[-1])


def test_the_load_is_what_was_sent(recorded: Recorded, look: Look) -> None:
    """So that what is compared below is not nothing."""
    before, sent = recorded.sent[-1 - WINDOW_SECONDS], recorded.sent[-1]
    calls, images = figures.calls(look), figures.images(look)
    errors = (sent.codes - before.codes).total() - (sent.codes["OK"] - before.codes["OK"])
    assert look.seconds == WINDOW_SECONDS
    assert calls.total == sent.methods.total() > 200
    assert calls.per_second * WINDOW_SECONDS == pytest.approx(
        (sent.methods - before.methods).total()
    )
    assert calls.errors_per_second * WINDOW_SECONDS == pytest.approx(errors)
    assert images.total == sent.images
    assert images.per_second * WINDOW_SECONDS == pytest.approx(sent.images - before.images)
    assert {count.name: count.total for count in figures.codes(look)} == sent.codes
    assert [version.version_labels for version in versions(look)] == [["stable"], ["canary"]]
    for version in versions(look):
        assert 0 < version.share < 1
        assert version.errors_per_second > 0
        assert all(not math.isnan(index) for index in version.drift.values())
    assert versions(look)[1].shadow_differing > 0


def test_the_page_and_top_are_the_same(recorded: Recorded, blank: Page) -> None:
    pages = list(zip(recorded.pages, recorded.times, strict=True))
    found = read_by_page(blank, pages, WINDOW_SECONDS)
    assert_same(found["live"], read_by_top(pages, WINDOW_SECONDS))


def by_method(read: Callable[[Calls], float]) -> Callable[[Look], Numbers]:
    return lambda look: {calls.method: read(calls) for calls in figures.methods(look)}


def by_version(read: Callable[[Version], float]) -> Callable[[Look], Numbers]:
    return lambda look: {
        f"{version.model} {version.version}": read(version) for version in versions(look)
    }


def by_name(read: Callable[[Look], Sequence[figures.Count]]) -> Callable[[Look], Numbers]:
    return lambda look: {count.name: count.per_second for count in read(look) if count.name != "OK"}


def by_worker(read: Callable[[figures.Worker], float]) -> Callable[[Look], Numbers]:
    return lambda look: {each.worker: read(each) for each in figures.workers(look)}


SHOWN: Mapping[str, Callable[[Look], Numbers]] = {
    "Calls": lambda look: {"calls": figures.calls(look).per_second},
    "Images": lambda look: {"images": figures.images(look).per_second},
    "No server error": lambda look: {"answered": figures.calls(look).no_server_error},
    "p50": lambda look: {"p50": figures.calls(look).p50},
    "p99": lambda look: {"p99": figures.calls(look).p99},
    "Calls by method": by_method(lambda calls: calls.per_second),
    "Duration by method (p99)": by_method(lambda calls: calls.p99),
    "Errors by code": by_name(figures.codes),
    "Rejected requests by reason": by_name(figures.rejected),
    "Duration": lambda look: (
        lambda calls: {"p50": calls.p50, "p90": calls.p90, "p99": calls.p99, "p99.9": calls.p999}
    )(figures.calls(look)),
    "Where a call's time goes": lambda look: {
        stage.stage: stage.mean for stage in figures.stages(look)
    },
    "Stages (p99)": lambda look: {stage.stage: stage.p99 for stage in figures.stages(look)},
    "Predictions by version": by_version(lambda version: version.per_second),
    "Errors by version": by_version(lambda version: version.error_share),
    "Duration by version (p50)": by_version(lambda version: version.p50),
    "Duration by version (p99)": by_version(lambda version: version.p99),
    "CPU by worker": by_worker(lambda worker: worker.cpu),
    "Memory": by_worker(lambda worker: worker.memory_bytes),
    "Workers": lambda look: {
        "wanted": figures.head(look).wanted,
        "ready": figures.head(look).ready,
        "silent": sum(not worker.answers for worker in figures.workers(look)),
    },
    "Images in a run": lambda look: sizes(figures.runs(look).images),
    "Calls in a run": lambda look: sizes(figures.runs(look).calls),
}


def sizes(sizes: figures.Sizes) -> Numbers:
    return {"mean": sizes.mean, "p50": sizes.p50, "p99": sizes.p99}


@pytest.mark.parametrize("title", SHOWN)
def test_panels_show_the_same(prometheus: Asking, look: Look, title: str) -> None:
    shown = prometheus.shown(f"service: {title}")
    without_services = {name.rpartition("/")[2]: value for name, value in shown.items()}
    assert without_services == pytest.approx(SHOWN[title](look), rel=1e-6, abs=1e-12)


def test_panels_of_a_version_show_the_same(prometheus: Asking, look: Look) -> None:
    expected_images = {}
    for version in versions(look):
        chosen = {"model": version.model, "version": version.version}
        shown = prometheus.shown("model: Labels", **chosen)
        counted = {label: rate for label, rate in shown.items() if rate}
        shares = {each.label: each.share for each in version.labels}
        assert shares == pytest.approx(
            {label: rate / sum(counted.values()) for label, rate in counted.items()}, rel=1e-6
        )
        spread = version.confidence
        assert prometheus.shown("model: Winning activation", **chosen) == pytest.approx(
            {"p10": spread.p10, "p50": spread.p50, "p90": spread.p90}, rel=1e-6
        )
        stages = prometheus.shown("service: Stages (p99)", **chosen)
        assert version.queue_p99 == pytest.approx(stages["queue"], rel=1e-6)
        name = f"{version.model} {version.version}"
        expected_images[name] = version.images.per_second
    shown = prometheus.shown("model: Images by version")
    assert shown == pytest.approx(expected_images, rel=1e-6)
    canary = versions(look)[1]
    differing = prometheus.shown("model: Differing labels")
    assert differing == pytest.approx({"digits 2": canary.shadow_differing}, rel=1e-6)


def test_shares_of_calls_are_those_of_the_rates(prometheus: Asking, look: Look) -> None:
    rates = prometheus.shown("service: Predictions by version")
    for version in versions(look):
        rate = rates[f"{version.model} {version.version}"]
        assert version.share == pytest.approx(rate / sum(rates.values()), rel=1e-6)


def test_fullest_workers_are_those_of_the_panels(prometheus: Asking, look: Look) -> None:
    queue = figures.queue(look)
    for title, level in (
        ("Calls in progress, share of the limit", queue.calls),
        ("Images queued, share of the limit", queue.images),
    ):
        shown = prometheus.shown(f"service: {title}")
        assert level.share == pytest.approx(max(shown.values()), abs=1e-12)


def test_drift_is_that_of_the_rules(prometheus: Asking, look: Look) -> None:
    groups = yaml.safe_load((PROMETHEUS / "rules" / "recording.yml").read_text())["groups"]
    rules = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}

    def expand(expression: str) -> str:
        """Put rules in the places of their names, and the window in that of an hour."""
        pattern = "|".join(sorted(map(re.escape, rules), key=len, reverse=True))
        inner = re.sub(pattern, lambda match: f"({expand(rules[match[0]])})", expression)
        return inner.replace("[1h]", f"[{WINDOW_SECONDS}s]")

    answer = prometheus.ask(expand("model:mlpserve_drift_psi:1h"))
    found = {
        (series.labels["model"], series.labels["version"], series.labels["of"]): series.value
        for series in answer
    }
    expected = {
        (version.model, version.version, of): index
        for version in versions(look)
        for of, index in version.drift.items()
    }
    assert len(expected) == 8
    assert found == pytest.approx(expected, rel=1e-6)
