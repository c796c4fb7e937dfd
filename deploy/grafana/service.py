"""The dashboard of the service: calls, their time, and what is used up."""

from collections.abc import Sequence

from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import capacity, colours, versions
from deploy.grafana.boards import LOADED, RESTARTED, assemble, chosen
from deploy.grafana.panels import HALF, Panel, heat, high_is_bad, lines, low_is_bad, number
from deploy.grafana.promql import (
    CALLS,
    INSTANCES,
    SERVER_ERRORS,
    WINDOW,
    WORKERS,
    mean,
    quantile,
    rate,
    rate_of_used,
)
from deploy.grafana.units import PER_SECOND, SECONDS, SHARE, counted

HANDLING = "grpc_server_handling_seconds"
METHOD = "{{grpc_service}}/{{grpc_method}}"

STAGES = {
    "decode": colours.BLUE,
    "queue": colours.AMBER,
    "run": colours.TEAL,
    "encode": colours.VIOLET,
}
CODES = {
    "InvalidArgument": colours.BLUE,
    "NotFound": colours.TEAL,
    "Unimplemented": colours.GREY,
    "ResourceExhausted": colours.AMBER,
    "DeadlineExceeded": colours.PINK,
    "Unavailable": colours.VIOLET,
    "Internal": colours.RED,
}
SHARES = {"p50": "0.5", "p90": "0.9", "p99": "0.99", "p99.9": "0.999"}


def build() -> models.Dashboard:
    """Return the dashboard."""
    return assemble(
        "service",
        "Calls, how long they take and where their time goes, and how near the limits are.",
        [
            chosen("instance", "mlpserve_workers"),
            chosen("worker", 'process_cpu_seconds_total{instance=~"$instance"}', every=".*"),
            chosen("method", f'{HANDLING}_count{{instance=~"$instance"}}', label="grpc_method"),
            chosen("model", f"mlpserve_model_info{{{INSTANCES}}}", every=".*"),
            chosen("version", f'mlpserve_model_info{{{INSTANCES}, model=~"$model"}}', every=".*"),
        ],
        {
            "At a glance": _glance(),
            "Calls": _calls(),
            "Latency": _latency(),
            "Versions": versions.by_version(),
            "Canary against stable": versions.canary(),
            "Saturation": capacity.saturation(),
            "Workers": capacity.workers(),
            "Files and callers": capacity.files(),
        },
        [LOADED, RESTARTED],
        since="now-1h",
    )


def _glance() -> Sequence[Panel]:
    handled = "grpc_server_handled_total"
    failed = rate(handled, f"{CALLS}, {SERVER_ERRORS}")
    wanted, ready = (f"sum(mlpserve_workers{part}{{{INSTANCES}}})" for part in ("", "_ready"))
    return [
        number(
            "Calls",
            "Calls that arrive per second. When it falls to nothing: see whether callers reach the "
            "server at all.",
            {"calls": rate("grpc_server_started_total", CALLS)},
            unit=PER_SECOND,
        ),
        number(
            "Images",
            "Images classified per second, by all models. Calls carry one or many.",
            {"images": rate("mlpserve_images_total", WORKERS)},
            unit=PER_SECOND,
        ),
        number(
            "No server error",
            "Share of calls whose code is not the server's fault; the objective is 99.9%. When it "
            "is low: the errors by code below say what goes wrong.",
            {"answered": f"1 - {failed} / {rate(handled, CALLS)}"},
            unit=SHARE,
            steps=low_is_bad(0.99, 0.999),
        ),
        number(
            "p50",
            "Half of the calls take no longer, from their arrival at the server to the answer.",
            {"p50": quantile("0.5", HANDLING, CALLS)},
            unit=SECONDS,
        ),
        number(
            "p99",
            "99% of the calls take no longer. Above 5 ms the objective of latency is missed: see "
            "where a call's time goes.",
            {"p99": quantile("0.99", HANDLING, CALLS)},
            unit=SECONDS,
            steps=high_is_bad(0.004, 0.005),
        ),
        number(
            "Workers missing",
            "Workers that there should be and that do not answer. When it stays above 0: the "
            "restarts below and the log say why they end.",
            {"missing": f"{wanted} - {ready}"},
            unit=counted("workers"),
            steps=high_is_bad(1, 2),
        ),
    ]


def _calls() -> Sequence[Panel]:
    handled = "grpc_server_handled_total"
    by_method = "grpc_service, grpc_method"
    failed = rate(handled, f"{CALLS}, {SERVER_ERRORS}", by_method)
    return [
        lines(
            "Calls by method",
            "Calls that arrive per second, for each method that has been called. When one grows "
            "without the others: a caller has changed.",
            {METHOD: rate_of_used("grpc_server_started_total", CALLS, by_method)},
            unit=PER_SECOND,
        ),
        lines(
            "Server errors by method",
            "Share of each method's calls that end with a code that is the server's fault. When it "
            "is high: the errors by code, then the log.",
            {METHOD: f"{failed} / ({rate(handled, CALLS, by_method)} > 0)"},
            unit=SHARE,
            steps=high_is_bad(0.001, 0.01),
        ),
        lines(
            "Duration by method (p99)",
            "99% of each method's calls take no longer. When one is high: larger batches, or more "
            "of them at once? See where a call's time goes.",
            {METHOD: quantile("0.99", HANDLING, CALLS, by_method)},
            unit=SECONDS,
            is_logarithmic=True,
        ),
        lines(
            "Errors by code",
            "Calls per second that end with a code other than OK. ResourceExhausted: more than the "
            "limits allow, add workers. DeadlineExceeded: callers wait less than it takes. "
            "InvalidArgument, NotFound and the like are the caller's to mend.",
            {"{{grpc_code}}": rate_of_used(handled, f'{CALLS}, grpc_code!="OK"', "grpc_code")},
            unit=PER_SECOND,
            colours=CODES,
        ),
        lines(
            "Rejected requests by reason",
            "Requests per second that could not be answered, by reason. queue_full and "
            "too_many_calls: more load than the workers take. All that name a field: tell the "
            "caller.",
            {"{{reason}}": rate_of_used("mlpserve_rejected_requests_total", WORKERS, "reason")},
            unit=PER_SECOND,
        ),
        lines(
            "Messages",
            "Messages received and sent per second; a stream has many in one call. When they part: "
            "calls are refused, or streams wait.",
            {
                "received": rate("grpc_server_msg_received_total", CALLS),
                "sent": rate("grpc_server_msg_sent_total", CALLS),
            },
            unit=PER_SECOND,
            colours={"received": colours.BLUE, "sent": colours.TEAL},
        ),
    ]


def _latency() -> Sequence[Panel]:
    stage = "mlpserve_stage_seconds"
    return [
        lines(
            "Duration",
            "What 50%, 90%, 99% and 99.9% of the calls do not exceed, from their arrival at the "
            "server to the answer. When only p99.9 is high: pauses, such as a version that loads. "
            "When p50 rises too: too much load.",
            {name: quantile(q, HANDLING, CALLS) for name, q in SHARES.items()},
            unit=SECONDS,
            is_logarithmic=True,
            width=HALF,
            colours=colours.QUANTILES,
        ),
        heat(
            "Durations",
            "How many calls took how long. Two bands are two kinds of calls, such as small and "
            "large batches; a band that widens upwards is a queue.",
            {"{{le}}": f"sum by (le) (increase({HANDLING}_bucket{{{CALLS}}}{WINDOW}))"},
            unit=SECONDS,
        ),
        lines(
            "Where a call's time goes",
            "Mean time of an answered call in each stage, of the chosen versions: decode reads the "
            "message, queue waits for the model, run is the model's, encode writes the answer. "
            "When queue is the thickest: add workers. When run is: batches are large.",
            {"{{stage}}": mean(stage, versions.VERSIONS, "stage")},
            unit=SECONDS,
            width=HALF,
            colours=STAGES,
            stacking=options.StackingMode.NORMAL,
        ),
        lines(
            "Stages (p99)",
            "99% of the chosen versions' answered calls spend no longer in the stage. When queue "
            "stands out: calls wait for others that run long; lower max_batch_size or add workers.",
            {"{{stage}}": quantile("0.99", stage, versions.VERSIONS, "stage")},
            unit=SECONDS,
            is_logarithmic=True,
            width=HALF,
            colours=STAGES,
        ),
    ]
