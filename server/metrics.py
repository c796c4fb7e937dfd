"""Every metric, declared once."""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from server import observed, series
from server.errors import REASONS
from server.model import Model
from server.series import Family

disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# Steps of 1.2 where the answers lie, so that a quantile read from the buckets is off by a tenth at
# most; wider outside.
_FINE = tuple(round(1e-4 * 1.2**step, 7) for step in range(26))
_OBJECTIVE_SECONDS = 0.005
"""The alerts count how many calls took longer, which only a bucket that ends there can tell."""

_WIDE = (5e-5, 7e-5, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_BUCKETS = tuple(sorted((*_FINE, *_WIDE, _OBJECTIVE_SECONDS)))

COMMON_CODES = (
    *("OK", "Canceled", "InvalidArgument", "DeadlineExceeded", "NotFound", "ResourceExhausted"),
    *("Unauthenticated", "Unavailable", "Internal", "Unknown"),
)
"""Codes that a method has at zero before any call; others come with the first call."""

METHODS = series.Methods(LATENCY_BUCKETS, COMMON_CODES)
VERSIONS = observed.Versions()

STAGES = ("decode", "queue", "run", "encode")
STAGE_SECONDS = series.Histogram(
    "mlpserve_stage_seconds",
    "Time that each answered call spent in a stage: decode is reading the messages of the calls "
    "that met, queue waiting before and after that, run the model's run, encode writing the "
    "answers of that run.",
    ("stage",),
    LATENCY_BUCKETS,
)
DECODE, QUEUE, RUN, ENCODE = map(STAGE_SECONDS.labels, STAGES)
QUEUED_IMAGES = Gauge("mlpserve_queued_images", "Images that wait for a run.", registry=REGISTRY)
MAX_QUEUED_IMAGES = Gauge(
    "mlpserve_max_queued_images", "Images that may wait for a run.", registry=REGISTRY
)
MAX_CALLS = Gauge(
    "mlpserve_max_calls_in_progress",
    "Calls that may be in progress at the same time.",
    registry=REGISTRY,
)
REJECTED = series.Counter(
    "mlpserve_rejected_requests", "Requests that could not be answered, by reason.", ("reason",)
)
for _reason in REASONS:
    REJECTED.labels(_reason)
MODEL_INFO = Gauge(
    "mlpserve_model_info",
    "1 for each loaded model.",
    ("model", "version", "weights_sha256", "layer_sizes", "parameters"),
    registry=REGISTRY,
)
MODEL_LOAD_SECONDS = Gauge(
    "mlpserve_model_load_seconds",
    "Time to load and check the model.",
    ("model", "version"),
    registry=REGISTRY,
)

TOKEN_CALLS = Counter(
    "mlpserve_token_calls_total",
    "Calls with a known token, by the file that has it and the name that it has there.",
    ("part", "token"),
    registry=REGISTRY,
)
CERTIFICATE_EXPIRY = Gauge(
    "mlpserve_certificate_expiry_timestamp_seconds",
    "When the certificate that is shown to callers expires, in seconds since 1970.",
    ("file",),
    registry=REGISTRY,
)
RELOADS = Counter(
    "mlpserve_reloads_total",
    "Attempts to read a part of the server again, by outcome: done or failed.",
    ("part", "outcome"),
    registry=REGISTRY,
)
LAST_RELOAD_SUCCESSFUL = Gauge(
    "mlpserve_last_reload_successful",
    "0 while a part is served as it was before a change that can't be used, otherwise 1.",
    ("part",),
    registry=REGISTRY,
)


MODEL_LOADS = Counter(
    "mlpserve_model_loads_total", "Versions loaded, by model.", ("model",), registry=REGISTRY
)
MODEL_LOAD_FAILURES = Counter(
    "mlpserve_model_load_failures_total",
    "Versions that could not be loaded, by model and reason.",
    ("model", "reason"),
    registry=REGISTRY,
)
SHADOW_IMAGES = Counter(
    "mlpserve_shadow_images_total",
    "Images that others have answered and this version has classified too.",
    ("model", "version"),
    registry=REGISTRY,
)
SHADOW_DIFFERING = Counter(
    "mlpserve_shadow_differing_images_total",
    "Images to which this version gave another label than the answer had.",
    ("model", "version"),
    registry=REGISTRY,
)
SHADOW_SKIPPED = Counter(
    "mlpserve_shadow_skipped_images_total",
    "Images that this version did not classify too, since too many were waiting for it or it takes "
    "another number of pixels.",
    ("model", "version"),
    registry=REGISTRY,
)
_OF_SHADOWS = (SHADOW_IMAGES, SHADOW_DIFFERING, SHADOW_SKIPPED)


def describe_models(before: Iterable[Model], after: Iterable[Model]) -> None:
    """Publish what is known about the loaded models, and no more about those loaded before."""
    gone = {_describe(model) for model in before}
    for model in after:
        version = str(model.version)
        gone.discard(_describe(model))
        MODEL_INFO.labels(*_describe(model)).set(1)
        MODEL_LOAD_SECONDS.labels(model.name, version).set(model.load_seconds)
        VERSIONS.of(model)
    for labels in gone:
        MODEL_INFO.remove(*labels)


def forget_version(name: str, version: int) -> None:
    """Remove the series of a version that is not loaded any more and has ended its last run."""
    VERSIONS.forget(name, version)
    for metric in (MODEL_LOAD_SECONDS, *_OF_SHADOWS):
        metric.remove(name, str(version))


def _describe(model: Model) -> tuple[str, ...]:
    """Return the model's labels for `MODEL_INFO`."""
    sizes = "-".join(map(str, model.layer_sizes))
    version, parameters = str(model.version), str(model.parameters)
    return model.name, version, model.weights_sha256, sizes, parameters


def write(*labels: tuple[str, str]) -> list[Family]:
    """Return every family, each sample with these labels and its own."""
    own = (METHODS, VERSIONS, STAGE_SECONDS, REJECTED)
    families = [family for metric in own for family in metric.write(*labels)]
    return [*families, *series.of_library(REGISTRY, *labels)]
