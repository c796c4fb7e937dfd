"""Which models are served: one snapshot, which each reload replaces as a whole."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from server.errors import NotReady
from server.models.model import Model
from server.models.passes import Progress
from server.models.policy import Policies
from server.models.repository import Models
from server.telemetry import metrics
from server.telemetry.version_stats import VERSIONS


def not_loaded() -> NotReady:
    """Return the error for calls before the first load."""
    return NotReady("not_ready", "the server is still loading its models; try again shortly")


@dataclass(slots=True, eq=False)
class Served:
    """Holds the snapshot that everybody reads; `models` is None until the first load, `progress`
    tells what the next one waits for, and `policies` how versions are chosen.

    Whoever needs it for more than one step reads it once.
    """

    models: Models | None = None
    progress: Progress = field(default_factory=Progress)
    policies: Policies = field(default_factory=Policies)

    def require(self) -> Models:
        """Return the snapshot; raises NotReady before the first load."""
        if self.models is None:
            raise not_loaded()
        return self.models

    def swap(self, models: Models) -> list[Model]:
        """Serve these models from now on; returns those that were served until now."""
        before, after = list(self.models or ()), set(models)
        self.models = models
        return [model for model in before if model not in after]


def describe(models: Models, gone: Iterable[Model]) -> None:
    """Publish the metrics that describe models, and withdraw those of models that are gone."""
    served = {_describe(model): model for model in models}
    for labels in {_describe(model) for model in gone} - served.keys():
        metrics.MODEL_INFO.remove(*labels)
    for labels, model in served.items():
        metrics.MODEL_INFO.labels(*labels).set(1)
        metrics.MODEL_LOAD_SECONDS.labels(model.name, str(model.version)).set(model.load_seconds)
        VERSIONS.load(model)
    _describe_labels(models)


def retire(name: str, version: int) -> None:
    """Stop publishing how a version was loaded once its last run has ended, and its counts soon
    after.
    """
    VERSIONS.retire(name, version)
    metrics.MODEL_LOAD_SECONDS.remove(name, str(version))


def _describe_labels(models: Models) -> None:
    """Publish which versions the settings' labels point to now."""
    pointed = {
        (name, str(model.version), label)
        for name, versions in models.by_name.items()
        for label, model in versions.by_label.items()
    }
    (published,) = metrics.VERSION_LABEL_INFO.collect()
    for sample in published.samples:
        if (labels := tuple(sample.labels.values())) not in pointed:
            metrics.VERSION_LABEL_INFO.remove(*labels)
    for labels in pointed:
        metrics.VERSION_LABEL_INFO.labels(*labels).set(1)


def _describe(model: Model) -> tuple[str, ...]:
    """Return the labels of the model's `MODEL_INFO`."""
    sizes = "-".join(map(str, model.layer_sizes))
    return model.name, str(model.version), model.weights_sha256, sizes, str(model.parameters)
