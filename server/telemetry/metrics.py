"""Every metric, declared once."""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)

from server.errors import REASONS
from server.logs.writer import LINES_LOST, STDERR
from server.models.model import Model
from server.telemetry import calls, version_stats
from server.telemetry.accumulators import Library, Registry

REGISTRY = Registry()

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

METHODS = REGISTRY.add(calls.Methods(LATENCY_BUCKETS, COMMON_CODES))
VERSIONS = REGISTRY.add(version_stats.Versions())

STAGES = ("decode", "queue", "run", "encode")
STAGE_SECONDS = REGISTRY.histogram(
    "mlpserve_stage_seconds",
    "Time that each answered call spent in a stage: decode is reading the messages of the calls "
    "that met, queue waiting before and after that, run the model's run, encode counting and "
    "writing the answers of that run.",
    ("stage",),
    LATENCY_BUCKETS,
)
DECODE, QUEUE, RUN, ENCODE = map(STAGE_SECONDS.labels, STAGES)
QUEUED_IMAGES = REGISTRY.gauge("mlpserve_queued_images", "Images that wait for a run.").labels()
MAX_QUEUED_IMAGES = REGISTRY.gauge(
    "mlpserve_max_queued_images", "Images that may wait for a run of each model."
).labels()
QUEUED_BYTES = REGISTRY.gauge(
    "mlpserve_queued_bytes", "Bytes of messages that wait to be read or for a run."
).labels()
MAX_QUEUED_BYTES = REGISTRY.gauge(
    "mlpserve_max_queued_bytes", "Bytes of messages that may wait, for all models together."
).labels()
MAX_CALLS = REGISTRY.gauge(
    "mlpserve_max_calls_in_progress",
    "Calls that may be in progress at the same time.",
).labels()
REJECTED = REGISTRY.counter(
    "mlpserve_rejected_requests", "Requests that could not be answered, by reason.", ("reason",)
)
for _reason in REASONS:
    REJECTED.labels(_reason)
MODEL_INFO = REGISTRY.gauge(
    "mlpserve_model_info",
    "1 for each loaded model.",
    ("model", "version", "weights_sha256", "layer_sizes", "parameters"),
)
MODEL_LOAD_SECONDS = REGISTRY.gauge(
    "mlpserve_model_load_seconds",
    "Time to load and check the model.",
    ("model", "version"),
)

TOKEN_CALLS = REGISTRY.counter(
    "mlpserve_token_calls",
    "Calls with a known token, by the file that has it and the name that it has there.",
    ("part", "token"),
)
CERTIFICATE_EXPIRY = REGISTRY.gauge(
    "mlpserve_certificate_expiry_timestamp_seconds",
    "When the certificate that is shown to callers expires, in seconds since 1970.",
    ("file",),
)
RELOADS = REGISTRY.counter(
    "mlpserve_reloads",
    "Attempts to read a part of the server again, by outcome: done or failed.",
    ("part", "outcome"),
)
LAST_RELOAD_SUCCESSFUL = REGISTRY.gauge(
    "mlpserve_last_reload_successful",
    "0 while a part is served as it was before a change that can't be used, otherwise 1.",
    ("part",),
)


MODEL_LOADS = REGISTRY.counter("mlpserve_model_loads", "Versions loaded, by model.", ("model",))
MODEL_LOAD_FAILURES = REGISTRY.counter(
    "mlpserve_model_load_failures",
    "Versions that could not be loaded, by model and reason.",
    ("model", "reason"),
)
SHADOW_IMAGES = REGISTRY.counter(
    "mlpserve_shadow_images",
    "Images that others have answered and this version has classified too.",
    ("model", "version"),
)
SHADOW_DIFFERING = REGISTRY.counter(
    "mlpserve_shadow_differing_images",
    "Images to which this version gave another label than the answer had.",
    ("model", "version"),
)
SHADOW_SKIPPED = REGISTRY.counter(
    "mlpserve_shadow_skipped_images",
    "Images that this version did not classify too, since too many were waiting for it, it takes "
    "another number of pixels, or its run failed.",
    ("model", "version"),
)
_OF_SHADOWS = (SHADOW_IMAGES, SHADOW_DIFFERING, SHADOW_SKIPPED)

REGISTRY.counter(*LINES_LOST).labels().set_function(lambda: STDERR.lost)

_LIBRARY = CollectorRegistry()
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=_LIBRARY)
REGISTRY.add(Library(_LIBRARY))


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
