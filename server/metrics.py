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

from server import series
from server.model import Model

disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# Steps of 1.2 where the answers lie, so that a quantile read from the buckets is off by a tenth at
# most; wider outside.
_FINE = tuple(round(1e-4 * 1.2**step, 7) for step in range(26))
LATENCY_BUCKETS = (5e-5, 7e-5, *_FINE, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_METHOD = ("grpc_type", "grpc_service", "grpc_method")

STARTED = series.Counter(
    "grpc_server_started_total", "Calls that reached the server.", _METHOD, REGISTRY
)
HANDLED = series.Counter(
    "grpc_server_handled_total",
    "Calls that ended, by status code.",
    (*_METHOD, "grpc_code"),
    REGISTRY,
)
HANDLING_SECONDS = series.Histogram(
    "grpc_server_handling_seconds",
    "Time from a call's arrival at its handler to its answer.",
    _METHOD,
    LATENCY_BUCKETS,
    REGISTRY,
)
IMAGES = Counter(
    "mlpserve_images_total", "Images classified.", ("model", "version"), registry=REGISTRY
)
_RUN_SIZES = tuple(2.0**power for power in range(13))
RUN_CALLS = series.Histogram(
    "mlpserve_run_calls",
    "Calls that a run of the model answered together.",
    ("model", "version"),
    _RUN_SIZES,
    REGISTRY,
)
RUN_IMAGES = series.Histogram(
    "mlpserve_run_images",
    "Images that a run of the model classified together.",
    ("model", "version"),
    _RUN_SIZES,
    REGISTRY,
)
QUEUED_IMAGES = Gauge("mlpserve_queued_images", "Images that wait for a run.", registry=REGISTRY)
REJECTED = Counter(
    "mlpserve_rejected_requests_total",
    "Requests that could not be answered, by reason.",
    ("reason",),
    registry=REGISTRY,
)
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
_OF_VERSIONS = (IMAGES, RUN_CALLS, RUN_IMAGES)
_OF_SHADOWS = (SHADOW_IMAGES, SHADOW_DIFFERING, SHADOW_SKIPPED)


def describe_models(before: Iterable[Model], after: Iterable[Model]) -> None:
    """Publish what is known about the loaded models, and no more about those loaded before."""
    gone = {_describe(model) for model in before}
    for model in after:
        version = str(model.version)
        gone.discard(_describe(model))
        MODEL_INFO.labels(*_describe(model)).set(1)
        MODEL_LOAD_SECONDS.labels(model.name, version).set(model.load_seconds)
        for metric in _OF_VERSIONS:
            metric.labels(model.name, version)
    for labels in gone:
        MODEL_INFO.remove(*labels)


def forget_version(name: str, version: int) -> None:
    """Remove the series of a version that is not loaded any more and has ended its last run."""
    for metric in (MODEL_LOAD_SECONDS, *_OF_VERSIONS, *_OF_SHADOWS):
        metric.remove(name, str(version))


def _describe(model: Model) -> tuple[str, ...]:
    """Return the model's labels for `MODEL_INFO`."""
    sizes = "-".join(map(str, model.layer_sizes))
    version, parameters = str(model.version), str(model.parameters)
    return model.name, version, model.weights_sha256, sizes, parameters


def total(metric: series.Counter) -> int:
    """Sum a counter over its labels."""
    return int(sum(sample.value for family in metric.collect() for sample in family.samples))
