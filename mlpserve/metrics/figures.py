"""The numbers that are shown of a Look, a section each.

server/http/static/watch/data/figures.js has the same for the page /watch. Rates, quantiles and
shares are of the Look's time, totals since the server's start; nan where nobody knows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpserve.metrics.exposition import STAGES
from mlpserve.metrics.looks import START, Look, quantile, total, totals

SERVER_ERRORS = (
    *("Unknown", "Internal", "Unavailable", "DataLoss", "DeadlineExceeded", "ResourceExhausted"),
)
"""The codes that count against the server; all others but OK are the caller's."""

_STARTED, _HANDLED = "grpc_server_started_total", "grpc_server_handled_total"
_IN_PROGRESS = "grpc_server_calls_in_progress"


@dataclass(frozen=True, slots=True)
class Head:
    """The server: its workers, since when it runs (seconds since 1970), and the Look's time."""

    ready: float
    wanted: float
    since: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a method, or all if it is "".

    An error is a call that ended with another code than OK; `no_server_error` is the share of
    calls that did not end with one of the server's.
    """

    method: str
    total: float
    per_second: float
    errors_per_second: float
    no_server_error: float
    p50: float
    p90: float
    p99: float
    p999: float
    in_progress: float


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted under a name, such as a code."""

    name: str
    total: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Images:
    """Images that were classified."""

    total: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many images, or calls, a run of a model had."""

    mean: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Runs:
    """What the runs of all models had."""

    images: Sizes
    calls: Sizes


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of a limit by all workers, and by the fullest of them as a share."""

    now: float
    limit: float
    share: float


@dataclass(frozen=True, slots=True)
class Queue:
    """How near the limits are: what is queued, and the calls in progress."""

    images: Usage
    bytes: Usage
    calls: Usage


@dataclass(frozen=True, slots=True)
class Stage:
    """The time that an answered call spends in a stage."""

    stage: str
    mean: float
    p99: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A process; one that did not answer in time has no numbers. `cpu` is in cores."""

    worker: str
    answers: bool
    cpu: float
    memory_bytes: float
    files: float
    calls_per_second: float
    in_progress: float
    queued_images: float


def head(look: Look) -> Head:
    """Return what is said of the server as a whole."""
    return Head(
        ready=total(look.page, "mlpserve_workers_ready"),
        wanted=total(look.page, "mlpserve_workers"),
        since=totals(look.page, START, "worker").get("parent", math.nan),
        seconds=look.seconds,
    )


def calls(look: Look, method: str = "") -> Calls:
    """Return the figures of all calls, or of those of a method."""
    labels = {"grpc_method": method} if method else {}
    codes = totals(look.increases, _HANDLED, "grpc_code", **labels)
    ended = sum(codes.values())
    errors, failed = (
        ended - codes.get("OK", 0.0),
        sum(codes.get(code, 0.0) for code in SERVER_ERRORS),
    )
    buckets = look.buckets("grpc_server_handling_seconds", **labels)
    return Calls(
        method,
        total=total(look.totals, _STARTED, **labels),
        per_second=look.rate(_STARTED, **labels),
        errors_per_second=errors / look.seconds,
        no_server_error=1 - failed / ended if ended else math.nan,
        p50=quantile(buckets, 0.5),
        p90=quantile(buckets, 0.9),
        p99=quantile(buckets, 0.99),
        p999=quantile(buckets, 0.999),
        in_progress=total(look.page, _IN_PROGRESS, **labels),
    )


def methods(look: Look) -> Sequence[Calls]:
    """Return the figures of each method that has been called, by name."""
    counts = (
        totals(look.totals, _STARTED, "grpc_method"),
        totals(look.page, _IN_PROGRESS, "grpc_method"),
    )
    called = {method for methods in counts for method, count in methods.items() if count}
    return [calls(look, method) for method in sorted(called)]


def codes(look: Look) -> Sequence[Count]:
    """Return how calls ended, the most frequent code first."""
    return _counts(look, _HANDLED, "grpc_code")


def rejected(look: Look) -> Sequence[Count]:
    """Return the requests that could not be answered, the most frequent reason first."""
    return _counts(look, "mlpserve_rejected_requests_total", "reason")


def restarts(look: Look) -> Sequence[Count]:
    """Return the workers started in place of another, the most frequent reason first."""
    return _counts(look, "mlpserve_worker_restarts_total", "reason")


def _counts(look: Look, counter: str, key: str) -> Sequence[Count]:
    rates, counted = look.rates(counter, key), totals(look.totals, counter, key)
    often = sorted(counted, key=lambda name: (-counted[name], name))
    return [Count(name, counted[name], rates.get(name, 0.0)) for name in often if counted[name]]


def images(look: Look) -> Images:
    """Return the images that all models have classified."""
    name = "mlpserve_images_total"
    return Images(total(look.totals, name), look.rate(name))


def runs(look: Look) -> Runs:
    """Return how much the runs had to do."""
    return Runs(_sizes(look, "mlpserve_run_images"), _sizes(look, "mlpserve_run_calls"))


def _sizes(look: Look, name: str) -> Sizes:
    # Quantiles of whole numbers may come out as fractions of one.
    p50, p99 = (max(look.quantile(share, name), 1.0) for share in (0.5, 0.99))
    return Sizes(look.mean(name), p50, p99)


def queue(look: Look) -> Queue:
    """Return how near the limits are."""
    return Queue(
        images=_usage(look, "mlpserve_queued_images", "mlpserve_max_queued_images"),
        bytes=_usage(look, "mlpserve_queued_bytes", "mlpserve_max_queued_bytes"),
        calls=_usage(look, _IN_PROGRESS, "mlpserve_max_calls_in_progress"),
    )


def _usage(look: Look, used: str, limit: str) -> Usage:
    now, limits = totals(look.page, used, "worker"), totals(look.page, limit, "worker")
    shares = [now.get(worker, 0.0) / most for worker, most in limits.items()]
    return Usage(total(look.page, used), total(look.page, limit), max(shares, default=math.nan))


def stages(look: Look) -> Sequence[Stage]:
    """Return where the time of an answered call goes, in order."""
    name = "mlpserve_stage_seconds"
    return [
        Stage(stage, look.mean(name, stage=stage), look.quantile(0.99, name, stage=stage))
        for stage in STAGES
    ]


def workers(look: Look) -> Sequence[Worker]:
    """Return each process: the workers by number, then the others."""
    memory = totals(look.page, "process_resident_memory_bytes", "worker")
    numbers = (
        look.rates("process_cpu_seconds_total", "worker"),
        memory,
        totals(look.page, "process_open_fds", "worker"),
        look.rates(_STARTED, "worker"),
        totals(look.page, _IN_PROGRESS, "worker"),
        totals(look.page, "mlpserve_queued_images", "worker"),
    )
    answered = totals(look.page, "mlpserve_worker_answered", "worker")
    silent = {worker for worker, answers in answered.items() if not answers}
    return [
        Worker(
            worker,
            worker not in silent,
            *(math.nan if worker in silent else each.get(worker, math.nan) for each in numbers),
        )
        for worker in sorted(memory.keys() | answered.keys(), key=by_number)
    ]


def by_number(text: str) -> tuple[bool, int, str]:
    """Sort numbers in texts by their value, and other texts after them."""
    return not (text.isascii() and text.isdecimal()), len(text), text
