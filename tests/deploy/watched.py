"""A real Prometheus that watches a real server under a known load, and what panels then show."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.grafana.reading import Dashboard, read
from exporter import network
from exporter.export import graph, publishing
from exporter.network.network import Batch, Network
from exporter.training import reference
from harness import certificate
from harness.networks import random_network
from harness.scrape import Samples, by_worker, samples, value
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import wait_for
from tests.deploy import asking, known_load
from tests.deploy.asking import Series
from tests.deploy.known_load import Load
from tests.deploy.prometheus import Prometheus, start_prometheus

FILES = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
DASHBOARDS = {file.stem: read(file) for file in FILES}
PANELS = {
    f"{name}: {panel.title}": (board, panel)
    for name, board in DASHBOARDS.items()
    for panel in board.panels
}

ROUNDS = 30
STABLE = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
CANARY = replace(random_network((784, 16, 10), seed=2), labels=STABLE.labels)
"""The versions 1 and 2 of digits."""

LAST_RULES = (
    "model:mlpserve_drift_psi:1h",
    "slo:sli_error:ratio_rate3d",
    "version:sli_error:ratio_rate1h",
    "canary:label_distance:ratio_increase1h",
    'ALERTS{alertname="CanaryErrors", alertstate="firing"}',
)
"""The last of the groups that panels read, and an alert."""

FIRING = """\
groups:
  - name: always
    rules:
      - {alert: Always, expr: vector(1)}
"""
"""What the dashboard of the objectives must show, and the server gives no reason for."""


@dataclass(frozen=True, slots=True)
class Around:
    """A moment without calls: when Prometheus read the page, and what was on it."""

    time: float
    page: Samples


@dataclass(frozen=True, slots=True)
class Watched:
    """A Prometheus, and what it watched: some calls, and after them a load between two scrapes.

    `seconds` are how long the load's calls of ModelInfer took, as the server has logged them;
    `settled` is when rules have read all of it.
    """

    prometheus: Prometheus
    chosen: Mapping[str, Mapping[str, str]]
    earlier: Load
    load: Load
    seconds: Sequence[float]
    start: Around
    end: Around
    settled: float

    def ask(self, board: Dashboard, expression: str, **chosen: str) -> list[Series]:
        """Return the answer with rates over exactly the load, and with All of each variable that is
        not among those `chosen`.
        """
        # From one scrape to the other, both of which Prometheus 2 takes into account.
        window = f"{round((self.end.time - self.start.time) * 1000)}ms"
        windows = dict.fromkeys(("__rate_interval", "__interval", "__range"), window)
        values = {**self.chosen[board.uid], **windows, **chosen}
        time = self.settled if ":" in expression else self.end.time
        return asking.ask(self.prometheus, asking.fill(expression, values), time)

    def measured(self, title: str, **chosen: str) -> dict[str, float]:
        """Return what a panel shows of the whole load, by legend."""
        board, panel = PANELS[title]
        return {
            target.name(series.labels): series.value
            for target in panel.targets
            for series in self.ask(board, target.expression, **chosen)
        }

    def counted(self, title: str) -> dict[str, int]:
        """Return what a panel's rates come to over the whole load, which are whole numbers."""
        seconds = self.end.time - self.start.time
        counts = {name: rate * seconds for name, rate in self.measured(title).items()}
        whole = {name: round(count) for name, count in counts.items()}
        assert all(abs(counts[name] - count) < 0.1 for name, count in whole.items()), counts
        return whole

    def grown(self, name: str, **labels: str) -> float:
        """Return how much samples of this name with these labels, among others, have grown."""
        return sum(
            after - self.start.page.get((sample, its), 0.0)
            for (sample, its), after in self.end.page.items()
            if sample == name and labels.items() <= dict(its).items()
        )


@contextlib.contextmanager
def watch(folder: Path, images: Batch) -> Iterator[Watched]:
    """Let all happen that panels can show: calls of every kind, a failed load, a restart."""
    models = folder / "models"
    _publish(models, "digits", 1, STABLE, images)
    _publish(models, "digits", 2, CANARY, images)
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
        *("--shadow", "digits: canary 100; small: canary 100"),
        *("--tls-certificate", str(tls.certificate_file), "--tls-key", str(tls.key_file)),
        *("--tokens-file", str(tokens)),
    ]
    with (
        start_server(models, *settings) as server,
        start_prometheus(folder, server.http_address, more=FIRING) as prometheus,
    ):
        _let_happen(server, prometheus, models, images)
        earlier = Load()
        # Rates miss the first calls of a series that no scrape has seen before them.
        while any(_untold(server, method) for method in known_load.SLOW_METHODS):
            earlier += known_load.run(server.grpc_address, tls.certificate, images, rounds=1)
        start = _scrape(server, prometheus, earlier)
        load = known_load.run(server.grpc_address, tls.certificate, images, rounds=ROUNDS)
        end = _scrape(server, prometheus, earlier + load)
        settled = _settle(prometheus, end.time)
        seconds = [
            line["seconds"]
            for line in server.log
            if line["event"] == "call" and line["method"] == known_load.INFER
        ]
        chosen = {
            board.uid: asking.choose(prometheus, board.variables) for board in DASHBOARDS.values()
        }
        first = earlier.calls[known_load.INFER, "OK"]
        yield Watched(prometheus, chosen, earlier, load, seconds[first:], start, end, settled)


def _let_happen(server: ServerProcess, prometheus: Prometheus, models: Path, images: Batch) -> None:
    """Kill a worker, and load a good version and a bad one."""
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


def _scrape(server: ServerProcess, prometheus: Prometheus, load: Load) -> Around:
    """Wait until Prometheus has read all of the load, and that is all that the page has."""
    prometheus.wait_for(f"sum(grpc_server_handled_total) == {load.calls.total()}")
    prometheus.wait_for(f"sum(mlpserve_images_total) == {load.images}")
    # The canary of each model shadows all that others answer.
    shadowed = "sum(mlpserve_shadow_images_total) + sum(mlpserve_shadow_skipped_images_total)"
    by_canary = load.images_of("digits", "2")
    prometheus.wait_for(f"{shadowed} == {load.images - by_canary}")
    time = prometheus.value("timestamp(mlpserve_workers_ready)")
    return Around(time, samples(server))


def _settle(prometheus: Prometheus, end: float) -> float:
    """Return a time by which rules have read what was scraped then.

    They are evaluated between scrapes, and read nothing while one has failed.
    """
    read = [f"count(timestamp({rule}) > {end})" for rule in LAST_RULES]
    (time,) = prometheus.wait_for(" and on () ".join(["vector(time())", *read])).values()
    return time
