"""Pages of a server that is none: its workers count at random, restart and fall silent as told."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

ODD = 'odd "\\\n} 1 \u2028\x85 \U0001f600{,=\uff21'
"""A name of all that might break a line or a label."""

METHODS = ("Predict", "ModelInfer", "ServerLive", "PredictStream")
VERSIONS = ("1", "2", "10")
LABELS = ("7", "10", "\uff21", "\U0001f600", ODD)
CODES = ("OK", "InvalidArgument", "ResourceExhausted", "Canceled")
BOUNDS = (0.0005, 0.001, 0.005, float("inf"))
DISTRIBUTIONS = ("labels", "ink")
COUNTED = ("mlpserve_predict", "mlpserve_stage", "mlpserve_images", "mlpserve_drift_images")
"""How the names of most counters of a version begin."""

Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Worker:
    """What one process has counted since it began."""

    start: float
    values: dict[Series, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, name: str, amount: float = 1, /, **labels: str) -> None:
        self.values[name, tuple(labels.items())] += amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self.values[name, tuple(labels.items())] = value

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        for bound in BOUNDS:
            le = "+Inf" if bound == float("inf") else str(bound)
            self.add(f"{name}_bucket", value <= bound, **labels, le=le)
        self.add(f"{name}_sum", value, **labels)
        self.add(f"{name}_count", 1, **labels)


class Simulated:
    """A server of three workers and of models with these names; `tells_predictions` is False for
    one that lacks the metrics.
    """

    def __init__(
        self, seed: int, *, names: Sequence[str] = ("digits", ODD), tells_predictions: bool = True
    ) -> None:
        self.random = random.Random(seed)
        self._versions = [(name, version) for name in names for version in VERSIONS]
        self._tells_predictions = tells_predictions
        self._seconds = 1000.0
        self.silent: set[str] = set()
        self.workers: dict[str, Worker] = {}
        self.restart("0", "1", "2", "parent")

    def restart(self, *names: str) -> None:
        """Begin anew: these workers, or the whole server."""
        parent = self.workers.get("parent")
        if not names:
            names, parent = tuple(self.workers), None
        for name in names:
            self._seconds += 0.25
            self.workers[name] = Worker(self._seconds)
            self.workers[name].set("process_start_time_seconds", self._seconds)
            self.workers[name].set("process_resident_memory_bytes", 1e6 * self.random.random())
            if name != "parent":
                self._describe(self.workers[name])
        if parent is not None:
            parent.add("restarts", len(names))

    def reload(self, model: str, version: str) -> None:
        """Have a version's series begin anew in processes that go on."""
        version_labels = {("model", model), ("version", version)}
        for worker in self.workers.values():
            for metric, labels in list(worker.values):
                if version_labels <= set(labels) and metric.startswith(COUNTED):
                    worker.values[metric, labels] = 0

    def _describe(self, worker: Worker) -> None:
        worker.set("mlpserve_max_calls_in_progress", 10)
        worker.set("mlpserve_max_queued_images", 100)
        for method in METHODS:
            worker.set("grpc_server_started_total", 0, grpc_type="unary", grpc_method=method)
        for model, version in self._versions:
            labels = {"model": model, "version": version}
            worker.set("mlpserve_model_info", 1, **labels, layer_sizes="2-1")
            if self._tells_predictions:
                worker.set("mlpserve_predictions_total", 0, **labels, grpc_code="OK")
            worker.set("mlpserve_version_label_info", 1, **labels, version_label=f"v{version}")
            for of in DISTRIBUTIONS:
                for k, share in enumerate((0.0, 0.3, 0.7)):
                    reference = {"of": of, "bin": str(k)}
                    worker.set("mlpserve_drift_reference_ratio", share, **labels, **reference)

    def work(self, calls: int) -> None:
        """Have each worker take so many calls, about."""
        for name, worker in self.workers.items():
            worker.add("process_cpu_seconds_total", self.random.random())
            worker.set("process_open_fds", self.random.randrange(100))
            if name == "parent":
                continue
            worker.set("mlpserve_queued_images", self.random.randrange(100))
            for method in METHODS:
                number = self.random.randrange(3)
                kind = "unary" if number % 2 else "bidi_stream"
                worker.set(
                    "grpc_server_calls_in_progress", number, grpc_type=kind, grpc_method=method
                )
            for _ in range(self.random.randrange(2 * calls + 1)):
                self._call(worker)

    def _call(self, worker: Worker) -> None:
        chance = self.random
        method = chance.choice(METHODS[:3])
        worker.add("grpc_server_started_total", grpc_type="unary", grpc_method=method)
        code = chance.choice((*CODES, "OK", "OK"))
        worker.add("grpc_server_handled_total", grpc_method=method, grpc_code=code)
        worker.observe("grpc_server_handling_seconds", chance.expovariate(800), grpc_method=method)
        model, version = chance.choice(self._versions)
        labels = {"model": model, "version": version}
        if self._tells_predictions:
            worker.add("mlpserve_predictions_total", 1, **labels, grpc_code=code)
            worker.observe("mlpserve_prediction_seconds", chance.expovariate(900), **labels)
        for stage in ("decode", "queue", "run", "encode"):
            worker.observe(
                "mlpserve_stage_seconds", chance.expovariate(3000), **labels, stage=stage
            )
        if code != "OK":
            worker.add("mlpserve_rejected_requests_total", reason=f"because_{code}")
            return
        images = chance.randrange(1, 60)
        worker.add("mlpserve_images_total", images, **labels)
        worker.add("mlpserve_shadow_images_total", images, **labels)
        worker.add("mlpserve_shadow_differing_images_total", images // 3, **labels)
        worker.observe("mlpserve_run_images", images, **labels)
        worker.observe("mlpserve_run_calls", 1, **labels)
        worker.add("mlpserve_predicted_labels_total", images, **labels, label=chance.choice(LABELS))
        for of in DISTRIBUTIONS:
            name = str(chance.randrange(3))
            worker.add("mlpserve_drift_images_total", images, **labels, of=of, bin=name)
        for _ in range(images):
            worker.observe("mlpserve_winning_activation", chance.random() / 100, **labels)

    def page(self) -> str:
        """Return the text of /metrics now."""
        lines = [f"mlpserve_workers {len(self.workers) - 1}", "mlpserve_workers_ready 2"]
        for name, worker in self.workers.items():
            if name != "parent":
                answers = int(name not in self.silent)
                lines.append(f'mlpserve_worker_answered{{worker="{name}"}} {answers}')
            if name in self.silent:
                continue
            for (metric, labels), value in worker.values.items():
                if metric == "restarts":
                    lines.append(f'mlpserve_worker_restarts_total{{reason="killed"}} {value}')
                else:
                    own = ",".join(
                        f'{key}="{_escape(text)}"' for key, text in (("worker", name), *labels)
                    )
                    lines.append(f"{metric}{{{own}}} {value}")
        return "".join(f"{line}\n" for line in ("# HELP a What it is.", *lines))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
