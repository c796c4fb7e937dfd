"""What the dashboard of the service shows of limits, processes and files."""

from deploy.grafana.boards import Section
from deploy.grafana.panels import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    HALF,
    PINK,
    QUANTILES,
    QUARTER,
    RED,
    VIOLET,
    high_is_bad,
    lines,
    low_is_bad,
    number,
)
from deploy.grafana.promql import INSTANCES, WORKERS, mean, quantile, rate, rate_of_used

BY_WORKER = "instance, worker"
WORKER = "{{instance}} {{worker}}"
DAY_SECONDS = 86_400


def saturation() -> Section:
    """Return what shows how near the limits are."""
    return Section(
        "Saturation",
        [
            lines(
                "Calls in progress, share of the limit",
                "Of the calls that a worker takes at once (max_concurrent_calls). At 100% further "
                "ones get ResourceExhausted: add workers.",
                {
                    WORKER: f"sum by ({BY_WORKER}) (grpc_server_calls_in_progress{{{WORKERS}}}) / "
                    f"sum by ({BY_WORKER}) (mlpserve_max_calls_in_progress{{{WORKERS}}})"
                },
                unit="percentunit",
                steps=high_is_bad(0.8, 1),
            ),
            lines(
                "Images queued, share of the limit",
                "Of the images that may wait for a run in a worker (max_queued_images). At 100% "
                "further calls get ResourceExhausted: the model can't keep up, add workers.",
                {
                    WORKER: f"sum by ({BY_WORKER}) (mlpserve_queued_images{{{WORKERS}}}) / "
                    f"sum by ({BY_WORKER}) (mlpserve_max_queued_images{{{WORKERS}}})"
                },
                unit="percentunit",
                steps=high_is_bad(0.8, 1),
            ),
            lines(
                "CPU by worker",
                "Cores in use. A worker can use one: near 100% it is busy all the time and calls "
                "wait, so add workers, or connections when others are idle. The parent, and http, "
                "which serves this page's metrics, need little.",
                {WORKER: rate("process_cpu_seconds_total", WORKERS, BY_WORKER)},
                unit="percentunit",
                steps=high_is_bad(0.8, 0.95),
            ),
            lines(
                "Images in a run",
                "How many images the model classified together. Large runs are efficient, and let "
                "others wait.",
                {
                    "mean": mean("mlpserve_run_images", WORKERS),
                    "p50": _at_least_one(quantile("0.5", "mlpserve_run_images", WORKERS)),
                    "p99": _at_least_one(quantile("0.99", "mlpserve_run_images", WORKERS)),
                },
                unit="short",
                width=HALF,
                colours={"mean": GREY, **QUANTILES},
            ),
            lines(
                "Calls in a run",
                "How many calls the model answered together. 1: nobody waits for anybody. The "
                "higher, the more calls arrive while the model runs.",
                {
                    "mean": mean("mlpserve_run_calls", WORKERS),
                    "p50": _at_least_one(quantile("0.5", "mlpserve_run_calls", WORKERS)),
                    "p99": _at_least_one(quantile("0.99", "mlpserve_run_calls", WORKERS)),
                },
                unit="short",
                width=HALF,
                colours={"mean": GREY, **QUANTILES},
            ),
        ],
    )


def _at_least_one(quantile: str) -> str:
    """Return a quantile of whole numbers that Prometheus may take for fractions of one."""
    return f"clamp_min({quantile}, 1)"


def workers() -> Section:
    """Return what shows how the processes do."""
    return Section(
        "Workers",
        [
            lines(
                "Workers",
                "Workers that there should be, that answer calls, and whose metrics were missing "
                "when Prometheus asked. When ready stays below wanted: see the restarts.",
                {
                    "wanted": f"sum(mlpserve_workers{{{INSTANCES}}})",
                    "ready": f"sum(mlpserve_workers_ready{{{INSTANCES}}})",
                    "silent": f"sum(1 - mlpserve_worker_answered{{{INSTANCES}}})",
                },
                unit="short",
                are_counts=True,
                colours={"wanted": GREY, "ready": GREEN, "silent": RED},
                dashed=["wanted"],
            ),
            lines(
                "Restarts by reason",
                "Workers started in place of another since the server's start. rolled: somebody "
                "asked for it. killed: memory, most likely. hung: no sign of life. The log of "
                "`worker ended` says more.",
                {"{{reason}}": f"sum by (reason) (mlpserve_worker_restarts_total{{{INSTANCES}}})"},
                unit="short",
                are_counts=True,
                colours={
                    "exited": AMBER,
                    "killed": RED,
                    "hung": VIOLET,
                    "failed": PINK,
                    "rolled": BLUE,
                },
            ),
            lines(
                "Age",
                "Time since each process started. All young at once: the server itself was started "
                "again, which the restarts do not count.",
                {
                    WORKER: f"time() - max by ({BY_WORKER}) "
                    f"(process_start_time_seconds{{{WORKERS}}})"
                },
                unit="s",
            ),
            lines(
                "Memory",
                "Resident memory of each process. When it grows for days: it leaks, roll the "
                "workers with SIGUSR2 and report it. It rises while a version is replaced.",
                {WORKER: f"max by ({BY_WORKER}) (process_resident_memory_bytes{{{WORKERS}}})"},
                unit="bytes",
                width=HALF,
            ),
            lines(
                "Open files, share of the limit",
                "Of the files and connections that a process may have open. Near 100% new "
                "connections fail: raise the limit of the container, or find who opens so many.",
                {
                    WORKER: f"max by ({BY_WORKER}) (process_open_fds{{{WORKERS}}}) / "
                    f"max by ({BY_WORKER}) (process_max_fds{{{WORKERS}}})"
                },
                unit="percentunit",
                width=HALF,
                steps=high_is_bad(0.8, 0.95),
            ),
        ],
    )


def files() -> Section:
    """Return what shows the files that are read again, and who calls."""
    return Section(
        "Files and callers",
        [
            lines(
                "Reloads by part",
                "Attempts to read models, tokens or certificates again, since the start. When "
                "failed ones grow: the log says which file is bad; what was good stays.",
                {
                    "{{part}} {{outcome}}": "sum by (part, outcome) "
                    f"(mlpserve_reloads_total{{{WORKERS}}})"
                },
                unit="short",
                are_counts=True,
                width=QUARTER,
            ),
            lines(
                "Parts not as on disk",
                "Workers that serve a part as it was before a change that can't be used. Above 0: "
                "mend the file, then send SIGHUP.",
                {"{{part}}": f"sum by (part) (1 - mlpserve_last_reload_successful{{{WORKERS}}})"},
                unit="short",
                are_counts=True,
                width=QUARTER,
                steps=high_is_bad(1, 2),
            ),
            number(
                "Certificate expires in",
                "Time until callers no longer take the server's certificate; empty without TLS. "
                "When it is short: put a new one in its place, it is read by itself.",
                {
                    "certificate": "min(mlpserve_certificate_expiry_timestamp_seconds"
                    f"{{{WORKERS}}}) - time()"
                },
                unit="s",
                width=QUARTER,
                height=8,
                steps=low_is_bad(7 * DAY_SECONDS, 21 * DAY_SECONDS),
            ),
            lines(
                "Calls by token",
                "Calls per second with each token's name; empty without tokens. When a name is "
                "still there after a rotation: somebody uses the old one.",
                {
                    "{{part}} {{token}}": rate_of_used(
                        "mlpserve_token_calls_total", WORKERS, "part, token"
                    )
                },
                unit="reqps",
                width=QUARTER,
            ),
        ],
    )
