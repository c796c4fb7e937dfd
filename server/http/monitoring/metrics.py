"""/metrics: one page of the metrics of all processes."""

import asyncio
import math
import time
from collections.abc import Mapping

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from server.http.parent import Parent
from server.logs.writer import STDERR
from server.supervisor.control import PAYLOAD, Message
from server.telemetry import metrics
from server.telemetry.families import (
    HTTP,
    PARENT,
    WORKER,
    MetricFamily,
    Values,
    adapt,
    page,
    unpack,
)

log = structlog.get_logger()

OPEN_METRICS = "application/openmetrics-text"
TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
DEFAULT_SCRAPE_SECONDS, MAX_SCRAPE_SECONDS = 4.0, 30.0
"""How long a scrape may take if its timeout is unknown, and at most."""

MARGIN_SECONDS = 0.5
"""Part of the timeout that is left for sending the page, or a quarter of it if that is less."""

MAX_SCRAPES = 16
"""Pages written or read at the same time; each may be large."""


class Metrics:
    """/metrics: gathers the metrics of all processes; an ASGI application."""

    def __init__(self, parent: Parent, parent_pid: int) -> None:
        self._parent = parent
        self._processes = [
            (_process(parent_pid), (WORKER, PARENT)),
            (_process("self"), (WORKER, HTTP)),
        ]
        self._missing: set[int] = set()
        self._slots = asyncio.Semaphore(MAX_SCRAPES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless too many are in progress."""
        if self._slots.locked():
            words, later = "too many scrapes at once; retry later\n", {"retry-after": "1"}
            await PlainTextResponse(words, 503, later)(scope, receive, send)
            return
        async with self._slots:
            response = await self._answer(Request(scope))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        _, content_type = choose_encoder(request.headers.get("accept", ""))
        seconds = scrape_seconds(request.headers.get(TIMEOUT_HEADER, ""))
        try:
            families = await self._gather(seconds)
        except TimeoutError:
            return PlainTextResponse("the parent process does not respond\n", 503)
        body = page(families, content_type.startswith(OPEN_METRICS))
        return Response(body, headers={"content-type": content_type})

    async def _gather(self, seconds: float) -> list[MetricFamily]:
        """Return all families but late workers'; raises TimeoutError when the parent is late."""
        end = time.monotonic() + seconds
        told = await asyncio.wait_for(self._parent.ask("parent"), seconds)
        asked = {n: asyncio.ensure_future(self._parent.ask(n)) for n in told["ready"]}
        if asked:
            await asyncio.wait(asked.values(), timeout=max(0.0, end - time.monotonic()))
        found: list[MetricFamily] = []
        answered = set()
        for number, answer in asked.items():
            if not answer.done():
                answer.cancel()
            elif not answer.result().get("is_missing"):
                found += unpack(answer.result()[PAYLOAD])
                answered.add(number)
        self._note_missing(asked.keys() - answered, seconds)
        found += _describe_workers(told, answered)
        for registry, label in self._processes:
            found += adapt(registry, label)
        return found

    def _note_missing(self, missing: set[int], seconds: float) -> None:
        """Log which workers' metrics are missing, once until they are back."""
        for number in sorted(missing - self._missing):
            log.warning(
                "a worker did not return its metrics in time, and is missing from a scrape",
                worker=number,
                seconds=round(seconds, 3),
            )
        self._missing = missing


def _process(pid: int | str) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(pid=lambda: pid, registry=registry)
    return registry


def _describe_workers(state: Message, answered: set[int]) -> list[MetricFamily]:
    """Return the metrics of what the parent reports, and of which workers have answered."""
    return [
        metrics.WORKERS_READY.with_samples([((), len(state["ready"]))]),
        metrics.WORKERS.with_samples([((), len(state["workers"]))]),
        metrics.WORKER_RESTARTS.with_samples(_by_label(state["restarts"])),
        metrics.HTTP_RESTARTS.with_samples(_by_label(state["http_restarts"])),
        metrics.WORKER_ANSWERED.with_samples(
            ((str(number),), int(number in answered)) for number in state["workers"]
        ),
        metrics.LINES_LOST.with_samples([((), state["lines_lost"])], (WORKER, PARENT)),
        metrics.LINES_LOST.with_samples([((), STDERR.lost)], (WORKER, HTTP)),
    ]


def _by_label(counts: Mapping[str, int]) -> list[tuple[Values, int]]:
    return [((label,), count) for label, count in counts.items()]


def scrape_seconds(header: str) -> float:
    """Return how long to wait for metrics, given the timeout that a scrape's header says."""
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        seconds = DEFAULT_SCRAPE_SECONDS
    seconds = min(seconds, MAX_SCRAPE_SECONDS)
    return seconds - min(MARGIN_SECONDS, seconds / 4)
