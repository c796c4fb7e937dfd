"""What the dashboard of the service shows of limits, processes and files."""

from collections.abc import Sequence

from deploy.grafana import colours
from deploy.grafana.panels import HALF, QUARTER, Panel, high_is_bad, lines, low_is_bad, number
from deploy.grafana.promql import INSTANCES, WORKERS, mean, quantile, rate, rate_of_used
from deploy.grafana.units import BYTES, PER_SECOND, SECONDS, SHARE, counted

BY_WORKER = "instance, worker"
WORKER = "{{instance}} {{worker}}"
DAY_SECONDS = 86_400


def saturation() -> Sequence[Panel]:
    """Return what shows how near the limits are."""
    return [
        lines(
            "Calls in progress, share of the limit",
            "Of the calls that a worker takes at once (max_concurrent_calls). At 100% further ones "
            "get ResourceExhausted: add workers.",
            _share("grpc_server_calls_in_progress", "mlpserve_max_calls_in_progress"),
            unit=SHARE,
            steps=high_is_bad(0.8, 1),
        ),
        lines(
            "Images queued, share of the limit",
            "Of the images that may wait for a run in a worker (max_queued_images). At 100% "
            "further calls get ResourceExhausted: the model can't keep up, add workers.",
            _share("mlpserve_queued_images", "mlpserve_max_queued_images"),
            unit=SHARE,
            steps=high_is_bad(0.8, 1),
        ),
        lines(
            "CPU by worker",
            "Cores in use. A worker can use one: near 100% it is busy all the time and calls wait, "
            "so add workers, or connections when others are idle. The parent, and http, which "
            "serves this page's metrics, need little.",
            {WORKER: rate("process_cpu_seconds_total", WORKERS, BY_WORKER)},
            unit=SHARE,
            steps=high_is_bad(0.8, 0.95),
        ),
        _in_a_run(
            "Images",
            "How many images the model classified together. Large runs are efficient, and let "
            "others wait.",
            "mlpserve_run_images",
        ),
        _in_a_run(
            "Calls",
            "How many calls the model answered together. 1: nobody waits for anybody. The higher, "
            "the more calls arrive while the model runs.",
            "mlpserve_run_calls",
        ),
    ]


def _share(used: str, limit: str, how: str = "sum") -> dict[str, str]:
    """Return what each worker uses of a limit."""
    both = (f"{how} by ({BY_WORKER}) ({metric}{{{WORKERS}}})" for metric in (used, limit))
    return {WORKER: " / ".join(both)}


def _in_a_run(what: str, description: str, histogram: str) -> Panel:
    # Prometheus may take quantiles of whole numbers for fractions of one.
    p50, p99 = (f"clamp_min({quantile(q, histogram, WORKERS)}, 1)" for q in ("0.5", "0.99"))
    return lines(
        f"{what} in a run",
        description,
        {"mean": mean(histogram, WORKERS), "p50": p50, "p99": p99},
        unit=counted(what.lower()),
        width=HALF,
        colours={"mean": colours.GREY, **colours.QUANTILES},
    )


def workers() -> Sequence[Panel]:
    """Return what shows how the processes do."""
    return [
        lines(
            "Workers",
            "Workers that there should be, that answer calls, and whose metrics were missing when "
            "Prometheus asked. When ready stays below wanted: see the restarts.",
            {
                "wanted": f"sum(mlpserve_workers{{{INSTANCES}}})",
                "ready": f"sum(mlpserve_workers_ready{{{INSTANCES}}})",
                "silent": f"sum(1 - mlpserve_worker_answered{{{INSTANCES}}})",
            },
            unit=counted("workers"),
            are_counts=True,
            colours={"wanted": colours.GREY, "ready": colours.BLUE, "silent": colours.RED},
            dashed=["wanted"],
        ),
        lines(
            "Restarts by reason",
            "Workers started in place of another since the server's start. rolled: somebody asked "
            "for it. killed: memory, most likely. hung: no sign of life. The log of `worker ended` "
            "says more.",
            {"{{reason}}": f"sum by (reason) (mlpserve_worker_restarts_total{{{INSTANCES}}})"},
            unit=counted("restarts"),
            are_counts=True,
            colours={
                "exited": colours.AMBER,
                "killed": colours.RED,
                "hung": colours.VIOLET,
                "failed": colours.PINK,
                "rolled": colours.BLUE,
            },
        ),
        lines(
            "Age",
            "Time since each process started. All young at once: the server itself was started "
            "again, which the restarts do not count.",
            {WORKER: f"time() - max by ({BY_WORKER}) (process_start_time_seconds{{{WORKERS}}})"},
            unit=SECONDS,
        ),
        lines(
            "Memory",
            "Resident memory of each process. When it grows for days: it leaks, roll the workers "
            "with SIGUSR2 and report it. It rises while a version is replaced.",
            {WORKER: f"max by ({BY_WORKER}) (process_resident_memory_bytes{{{WORKERS}}})"},
            unit=BYTES,
            width=HALF,
        ),
        lines(
            "Open files, share of the limit",
            "Of the files and connections that a process may have open. Near 100% new connections "
            "fail: raise the limit of the container, or find the callers that open so many.",
            _share("process_open_fds", "process_max_fds", "max"),
            unit=SHARE,
            width=HALF,
            steps=high_is_bad(0.8, 0.95),
        ),
    ]


def files() -> Sequence[Panel]:
    """Return what shows the files that are read again, and who calls."""
    reloads = f"sum by (part, outcome) (mlpserve_reloads_total{{{WORKERS}}})"
    expiry = "mlpserve_certificate_expiry_timestamp_seconds"
    calls = rate_of_used("mlpserve_token_calls_total", WORKERS, "part, token")
    return [
        lines(
            "Reloads by part",
            "Attempts to read models, tokens or certificates again, since the start. When failed "
            "ones grow: the log says which file is bad; what was good stays.",
            {"{{part}} {{outcome}}": reloads},
            unit=counted("reloads"),
            are_counts=True,
            width=QUARTER,
        ),
        lines(
            "Parts not as on disk",
            "Workers that serve a part as it was before a change that can't be used. Above 0: mend "
            "the file, then send SIGHUP.",
            {"{{part}}": f"sum by (part) (1 - mlpserve_last_reload_successful{{{WORKERS}}})"},
            unit=counted("workers"),
            are_counts=True,
            width=QUARTER,
            steps=high_is_bad(1, 2),
        ),
        number(
            "Certificate expires in",
            "Time until callers no longer take the server's certificate; empty without TLS. When "
            "it is short: put a new one in its place, it is read by itself.",
            {"certificate": f"min({expiry}{{{WORKERS}}}) - time()"},
            unit=SECONDS,
            width=QUARTER,
            height=8,
            steps=low_is_bad(7 * DAY_SECONDS, 21 * DAY_SECONDS),
        ),
        lines(
            "Calls by token",
            "Calls per second with each token's name; empty without tokens. When a name is still "
            "there after a rotation: somebody uses the old one.",
            {"{{part}} {{token}}": calls},
            unit=PER_SECOND,
            width=QUARTER,
        ),
    ]
