"""Every metric, declared once: those of calls, runs and versions are counted by accumulators of
their own, those of the parent by it, all others by the library's collectors.
"""

import os
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    values,
)

from server.reasons.requests import REQUESTS
from server.telemetry.families import WORKER, MetricFamily

# An environment made for other programs must not have the library count in files: each process here
# is asked for its own counts.
for _name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
    os.environ.pop(_name, None)
values.ValueClass = values.MutexValue

REGISTRY = CollectorRegistry()
"""The library's collectors of a worker."""

for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=REGISTRY)

_counter, _gauge = partial(Counter, registry=REGISTRY), partial(Gauge, registry=REGISTRY)

FINE_BUCKETS = tuple(round(1e-4 * 1.2**step, 7) for step in range(26))
"""Steps of 1.2 where most latencies lie: a quantile read from the buckets is off by 20% at most."""

_OBJECTIVE_SECONDS = 0.005
"""The alerts count the calls that took longer, which takes a bucket that ends there."""

_WIDE = (5e-5, 7e-5, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_BUCKETS = tuple(sorted((*FINE_BUCKETS, *_WIDE, _OBJECTIVE_SECONDS)))

COMMON_CODES = (
    *("OK", "Canceled", "InvalidArgument", "DeadlineExceeded", "NotFound", "ResourceExhausted"),
    *("Unauthenticated", "Unavailable", "Internal", "Unknown"),
)
"""Codes that a method has at zero before any call; others appear with the first call."""

# Every call: see `calls`.
_METHOD = ("grpc_type", "grpc_service", "grpc_method")
CALLS_STARTED = MetricFamily(
    "grpc_server_started", "counter", "Calls that reached the server.", _METHOD
)
CALLS_HANDLED = MetricFamily(
    "grpc_server_handled", "counter", "Calls that ended, by status code.", (*_METHOD, "grpc_code")
)
MESSAGES_RECEIVED = MetricFamily(
    "grpc_server_msg_received", "counter", "Messages of callers that the server has read.", _METHOD
)
MESSAGES_SENT = MetricFamily(
    "grpc_server_msg_sent", "counter", "Messages that the server has sent.", _METHOD
)
CALLS_IN_PROGRESS = MetricFamily(
    "grpc_server_calls_in_progress", "gauge", "Calls that have started and not ended.", _METHOD
)
HANDLING_SECONDS = MetricFamily(
    "grpc_server_handling_seconds",
    "histogram",
    "Time from a call's arrival at the server until its answer is sent.",
    _METHOD,
)
MAX_CALLS = _gauge(
    "mlpserve_max_calls_in_progress", "Calls that may be in progress at the same time."
)
REJECTED = _counter(
    "mlpserve_rejected_requests", "Requests that could not be answered, by reason.", ("reason",)
)
for _reason in REQUESTS:
    REJECTED.labels(_reason)
TOKEN_CALLS = _counter(
    "mlpserve_token_calls",
    "Calls with a known token, by the tokens file and the caller's name in it.",
    ("part", "token"),
)

# What waits.
QUEUED_IMAGES = _gauge("mlpserve_queued_images", "Images that wait for a run.")
MAX_QUEUED_IMAGES = _gauge(
    "mlpserve_max_queued_images", "Images that may wait for a run of each model."
)
QUEUED_BYTES = _gauge(
    "mlpserve_queued_bytes", "Bytes of messages that wait to be read or for a run."
)
MAX_QUEUED_BYTES = _gauge(
    "mlpserve_max_queued_bytes", "Bytes of messages that may wait, for all models together."
)

# Every version: see `version_stats`.
_VERSION = ("model", "version")
PREDICTIONS = MetricFamily(
    "mlpserve_predictions",
    "counter",
    "Calls, and messages of streams, that a version has answered or failed, by status code.",
    (*_VERSION, "grpc_code"),
)
PREDICTION_SECONDS = MetricFamily(
    "mlpserve_prediction_seconds",
    "histogram",
    "Time from the arrival of such a call or message until its answer is written or it fails.",
    _VERSION,
)
STAGES = ("decode", "queue", "run", "encode")
STAGE_SECONDS = MetricFamily(
    "mlpserve_stage_seconds",
    "histogram",
    "Time that each answered call or message spent in a stage: decode is reading the messages of "
    "the calls that met, queue waiting before and after that, run the model's run, and encode "
    "counting and writing the answers of that run.",
    (*_VERSION, "stage"),
)
IMAGES = MetricFamily("mlpserve_images", "counter", "Images classified.", _VERSION)
RUN_CALLS = MetricFamily(
    "mlpserve_run_calls", "histogram", "Calls that a run of the model answered together.", _VERSION
)
RUN_IMAGES = MetricFamily(
    "mlpserve_run_images",
    "histogram",
    "Images that a run of the model classified together.",
    _VERSION,
)
PREDICTED_LABELS = MetricFamily(
    "mlpserve_predicted_labels", "counter", "Images that were given a label.", (*_VERSION, "label")
)
WINNING_ACTIVATION = MetricFamily(
    "mlpserve_winning_activation",
    "histogram",
    "Activation of each image's brightest output.",
    _VERSION,
)
MARGIN = MetricFamily(
    "mlpserve_margin",
    "histogram",
    "Each image's brightest activation minus its second brightest.",
    _VERSION,
)
INK = MetricFamily(
    "mlpserve_ink",
    "histogram",
    "Mean pixel of each image, as the network saw it.",
    _VERSION,
)
DRIFT_IMAGES = MetricFamily(
    "mlpserve_drift_images",
    "counter",
    "Images by their ink, label, activation or margin, in the bins of the model's reference.",
    (*_VERSION, "of", "bin"),
)
DRIFT_REFERENCE = MetricFamily(
    "mlpserve_drift_reference_ratio",
    "gauge",
    "Share of the training images in each bin, from the model's file.",
    (*_VERSION, "of", "bin"),
)
SHADOW_IMAGES = MetricFamily(
    "mlpserve_shadow_images",
    "counter",
    "Images answered by other versions that this version, the shadow, has classified too.",
    _VERSION,
)
SHADOW_DIFFERING = MetricFamily(
    "mlpserve_shadow_differing_images",
    "counter",
    "Images whose label by this version, the shadow, differs from the answer's.",
    _VERSION,
)
SHADOW_SKIPPED = MetricFamily(
    "mlpserve_shadow_skipped_images",
    "counter",
    "Images that this version, the shadow, did not classify: too many were waiting, it does not "
    "accept them, or its run failed.",
    _VERSION,
)
MODEL_INFO = _gauge(
    "mlpserve_model_info",
    "1 for each loaded model.",
    (*_VERSION, "weights_sha256", "layer_sizes", "parameters"),
)
VERSION_LABEL_INFO = _gauge(
    "mlpserve_version_label_info",
    "1 for each label of the settings that points to a loaded version, such as stable or canary.",
    (*_VERSION, "version_label"),
)
MODEL_LOAD_SECONDS = _gauge(
    "mlpserve_model_load_seconds", "Time to load and check the model.", _VERSION
)
MODEL_LOADS = _counter("mlpserve_model_loads", "Versions loaded, by model.", ("model",))
MODEL_LOAD_FAILURES = _counter(
    "mlpserve_model_load_failures",
    "Versions that could not be loaded, by model and reason.",
    ("model", "reason"),
)

# What is read again while the server runs.
CERTIFICATE_EXPIRY = _gauge(
    "mlpserve_certificate_expiry_timestamp_seconds",
    "Expiry of the certificate presented to callers, in seconds since 1970.",
    ("file",),
)
RELOADS = _counter(
    "mlpserve_reloads",
    "Attempts to read a part of the server again, by outcome: done or failed.",
    ("part", "outcome"),
)
LAST_RELOAD_SUCCESSFUL = _gauge(
    "mlpserve_last_reload_successful",
    "0 while a part stays as it was because its last change is invalid, otherwise 1.",
    ("part",),
)

# What the parent counts, and the process that writes the page.
WORKERS_READY = MetricFamily("mlpserve_workers_ready", "gauge", "Workers that answer calls.")
WORKERS = MetricFamily("mlpserve_workers", "gauge", "Workers that should be running.")
WORKER_RESTARTS = MetricFamily(
    "mlpserve_worker_restarts",
    "counter",
    "Workers started in place of another, by why that one ended.",
    ("reason",),
)
HTTP_RESTARTS = MetricFamily(
    "mlpserve_http_restarts",
    "counter",
    "HTTP processes started in place of another, by why that one ended.",
    ("reason",),
)
WORKER_ANSWERED = MetricFamily(
    "mlpserve_worker_answered",
    "gauge",
    "1 for a worker whose metrics are on this page, 0 for one that did not return them in time.",
    (WORKER,),
)

# Every process.
LINES_LOST = MetricFamily(
    "mlpserve_log_lines_lost",
    "counter",
    "Log lines dropped because they could not be written or too many were waiting.",
)
