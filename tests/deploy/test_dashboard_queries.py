"""Every panel's query, asked of a real Prometheus that watched a real server under a known load."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deploy.grafana.reading import Dashboard, read
from exporter import network
from exporter.export import graph, publishing
from exporter.network.network import Batch, Network
from exporter.training import reference
from exporter.training.mnist import Labels
from harness import certificate
from harness.networks import random_network
from harness.scrape import by_worker, value
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import wait_for
from server.telemetry.metrics import LATENCY_BUCKETS
from tests.deploy import asking, known_load
from tests.deploy.asking import Series, fill
from tests.deploy.known_load import Load
from tests.deploy.prometheus import Prometheus, start_prometheus
from tests.programs import need

FILES = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = {file.stem: read(file) for file in FILES}
PANELS = {
    f"{name}: {panel.title}": (board, panel)
    for name, board in DASHBOARDS.items()
    for panel in board.panels
}

ROUNDS = 30

FIRING = """\
groups:
  - name: always
    rules:
      - {alert: Always, expr: vector(1)}
"""
"""What the dashboard of the objectives must show, and the server gives no reason for."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus, and what it watched: a load between two scrapes, `start` and `end`.

    `seconds` are how long the load's calls of ModelInfer took, as the server has logged them.
    """

    prometheus: Prometheus
    load: Load
    seconds: Sequence[float]
    start: float
    end: float

    def ask(
        self, board: Dashboard, expression: str, time: float | None = None, method: str = ""
    ) -> list[Series]:
        """Return the answer with All chosen; at `end` rates are over exactly the load.

        `method` is what is chosen for that variable instead.
        """
        # From one scrape to the other, both of which Prometheus 2 takes into account.
        window = f"{round((self.end - self.start) * 1000)}ms" if time else "1m"
        windows = dict.fromkeys(("__rate_interval", "__interval", "__range"), window)
        values = asking.choose(self.prometheus, board.variables) | windows
        values["method"] = method or values.get("method", "")
        return asking.ask(self.prometheus, fill(expression, values), time)

    def measured(self, title: str, method: str = "") -> dict[str, float]:
        """Return what a panel shows of the whole load, by legend."""
        board, panel = PANELS[title]
        return {
            target.name(series.labels): series.value
            for target in panel.targets
            for series in self.ask(board, target.expression, self.end, method)
        }

    def counted(self, title: str) -> dict[str, int]:
        """Return what a panel's rates come to over the whole load, which are whole numbers."""
        rates = self.measured(title)
        counts = {name: rate * (self.end - self.start) for name, rate in rates.items()}
        assert counts == pytest.approx(
            {name: round(each) for name, each in counts.items()}, abs=0.1
        )
        return {name: round(count) for name, count in counts.items()}


@pytest.fixture(scope="module")
def watched(
    digits: tuple[Batch, Labels], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """All that panels can show has happened: calls of every kind, a failed load, a restart."""
    need("openssl", "openssl")
    folder = tmp_path_factory.mktemp("watched")
    models, images = folder / "models", digits[0][:64]
    shipped = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    _publish(models, "digits", 1, shipped, images)
    _publish(models, "digits", 2, random_network((784, 16, 10), seed=2), images)
    # The second can't shadow the first, which takes images of another size.
    few = known_load.SMALL
    _publish(models, "small", 1, random_network((few, 10), seed=1), images[:, :few])
    _publish(models, "small", 2, random_network((784, 10), seed=2), images)
    tokens, tls = folder / "tokens", certificate.make(folder)
    tokens.write_text(f"caller: {known_load.TOKEN}\n")
    tokens.chmod(0o600)
    settings = [
        *("--workers", "2", "--max-streams", "1", "--log-calls", "1"),
        *("--versions", "latest 2", "--labels", "stable 1, canary 2"),
        *("--traffic", "digits: stable 90, canary 10; small: stable 100"),
        *("--shadow", "digits: canary 50; small: canary 100"),
        *("--tls-certificate", str(tls.certificate_file), "--tls-key", str(tls.key_file)),
        *("--tokens-file", str(tokens)),
    ]
    with (
        start_server(models, *settings) as server,
        start_prometheus(folder, server.http_address, more=FIRING) as prometheus,
    ):
        first, load, start, end = _watch(server, prometheus, models, images, tls.certificate)
        seconds = [
            line["seconds"]
            for line in server.log
            if line["event"] == "call" and line["method"] == known_load.INFER
        ]
        earlier = first.calls[known_load.INFER, "OK"]
        yield Watched(prometheus, load, seconds[earlier:], start, end)


def _watch(
    server: ServerProcess, prometheus: Prometheus, models: Path, images: Batch, certificate: bytes
) -> tuple[Load, Load, float, float]:
    """Let all happen; returns calls made before and during the load, and the time around it."""
    prometheus.wait_for("sum(mlpserve_workers_ready) == 2")
    os.kill(server.workers[0], signal.SIGKILL)
    wait_for(lambda: value(server, "mlpserve_worker_restarts_total", reason="killed") == 1)
    wait_for(lambda: value(server, "mlpserve_workers_ready") == 2)
    _publish(models, "digits", 3, random_network((784, 16, 10), seed=3), images)
    wait_for(lambda: value(server, "mlpserve_model_info", model="digits", version="3") == 2)
    _spoil(models, 4)
    wait_for(lambda: value(server, "mlpserve_model_load_failures_total") >= 2)
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: value(server, "mlpserve_reloads_total") >= 2)
    prometheus.wait_for(
        "count(process_start_time_seconds) == 4 and sum(mlpserve_reloads_total) >= 2"
    )
    first = Load()
    # Rates miss the first calls of a series that no scrape has seen before them.
    while any(_untold(server, method) for method in known_load.SLOW_METHODS):
        first += known_load.run(server.grpc_address, certificate, images, rounds=1)
    start = _scrape(prometheus, first)
    load = known_load.run(server.grpc_address, certificate, images, rounds=ROUNDS)
    end = _scrape(prometheus, first + load)
    # Rules are evaluated between scrapes, and some read what others have recorded before.
    for rule in ("model:mlpserve_drift_psi:1h", "slo:sli_error:ratio_rate3d"):
        prometheus.wait_for(f"timestamp({rule}) > {end}")
    return first, load, start, end


def _untold(server: ServerProcess, method: str) -> bool:
    """Whether a worker has had no call of a method yet."""
    started = by_worker(server, "grpc_server_started_total", grpc_method=method)
    return sum(calls > 0 for calls in started.values()) < 2


def _publish(models: Path, name: str, version: int, its: Network, images: Batch) -> None:
    """Publish a network as if it had been trained on the images."""
    model = graph.build(its, reference=reference.measure(its, images))
    publishing.publish(model, models, name, version)


def _spoil(models: Path, version: int) -> None:
    """Publish what is no model."""
    folder = models / "digits" / str(version)
    folder.mkdir()
    temporary = folder / "new"
    temporary.write_bytes(b"no model")
    temporary.rename(folder / "model.onnx")


def _scrape(prometheus: Prometheus, load: Load) -> float:
    """Wait until Prometheus has read all of the load; returns when it did."""
    prometheus.wait_for(f"sum(grpc_server_handled_total) == {load.calls.total()}")
    prometheus.wait_for(f"sum(mlpserve_images_total) == {load.images}")
    return prometheus.value("timestamp(mlpserve_workers_ready)")


@pytest.mark.parametrize("title", PANELS)
def test_panel_has_data(watched: Watched, title: str) -> None:
    board, panel = PANELS[title]
    names = []
    for target in panel.targets:
        answer = watched.ask(board, target.expression)
        assert answer, target.expression
        names += [target.name(series.labels) for series in answer]
    # A legend that calls two curves by one name, or one by none, tells nothing.
    if panel.kind not in ("heatmap", "table", "barchart"):
        assert all(names)
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_have_values(watched: Watched, name: str) -> None:
    board = DASHBOARDS[name]
    chosen = asking.choose(watched.prometheus, board.variables)
    for variable in board.variables:
        assert asking.options(watched.prometheus, variable, chosen), variable


@pytest.mark.parametrize("name", DASHBOARDS)
def test_marks_have_been_seen(watched: Watched, name: str) -> None:
    for expression in DASHBOARDS[name].marks.values():
        assert watched.ask(DASHBOARDS[name], expression), expression


def test_each_call_is_counted_once(watched: Watched) -> None:
    by_method = Counter[str]()
    for (method, _), calls in watched.load.calls.items():
        by_method["other/other" if method.endswith("Nothing") else method] += calls
    assert watched.counted("service: Calls by method") == by_method
    assert watched.counted("service: Calls") == {"calls": by_method.total()}


def test_each_error_is_counted_once(watched: Watched) -> None:
    codes = Counter[str]()
    for (_, code), calls in watched.load.calls.items():
        codes[code] += calls
    answered = codes.pop("OK")
    assert watched.counted("service: Errors by code") == codes
    assert set(codes) >= {"InvalidArgument", "NotFound", "ResourceExhausted", "Unauthenticated"}
    assert watched.counted("slo: Server errors by code") == {"ResourceExhausted": 1}
    good = watched.measured("service: No server error")["answered"]
    assert good == pytest.approx(1 - 1 / (answered + codes.total()))


def test_each_image_is_counted_once(watched: Watched) -> None:
    by_version = watched.counted("model: Images by version")
    assert sum(by_version.values()) == watched.load.images
    assert all(by_version[name] for name in ("digits 1", "digits 2", "small 1"))
    assert by_version["digits 3"] == by_version["small 2"] == 0
    assert sum(watched.counted("model: Labels").values()) == watched.load.images


def test_quantiles_are_those_of_the_calls(watched: Watched) -> None:
    assert len(watched.seconds) == watched.load.calls[known_load.INFER, "OK"]
    shown = watched.measured("service: Duration", method="ModelInfer")
    assert set(shown) == {"p50", "p90", "p99", "p99.9"}
    for name, seconds in shown.items():
        exact = float(np.percentile(watched.seconds, float(name[1:]), method="inverted_cdf"))
        lower, upper = _bucket(exact)
        assert lower <= seconds <= upper, name


def test_the_heatmap_has_every_call(watched: Watched) -> None:
    board, panel = PANELS["service: Durations"]
    (target,) = panel.targets
    answer = watched.ask(board, target.expression, watched.end, method="ModelInfer")
    buckets = {float(series.labels["le"]): series.value for series in answer}
    assert sorted(buckets) == [*LATENCY_BUCKETS, float("inf")]
    for bound, count in buckets.items():
        # The log has whole microseconds.
        least, most = (
            sum(seconds <= bound + error for seconds in watched.seconds) for error in (-1e-6, 1e-6)
        )
        assert least <= round(count) <= most


def _bucket(seconds: float) -> tuple[float, float]:
    """Return the bounds of the bucket that counts it."""
    bounds = [0.0, *LATENCY_BUCKETS, float("inf")]
    return next(pair for pair in pairwise(bounds) if pair[0] < seconds <= pair[1])
