"""How reading something again went: logged, counted, and returned to whoever asked for it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import structlog

from server.errors import INTERNAL_MESSAGE, StartupError
from server.reasons.processes import ReloadOutcome
from server.telemetry import metrics

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How reading a part again went; `error` is empty when the new content is in use."""

    part: str
    error: str


def pack(outcomes: Iterable[Outcome]) -> bytes:
    """Return how reading several parts went as bytes, for another worker."""
    return json.dumps([asdict(outcome) for outcome in outcomes]).encode()


def unpack(packed: bytes) -> list[Outcome]:
    """Return the outcome that `pack` encoded."""
    return [Outcome(**outcome) for outcome in json.loads(packed)]


def attempt(part: str, reload: Callable[[], None]) -> str:
    """Call `reload`, note how it went, and return why it failed, empty if it did not."""
    error = ""
    try:
        reload()
    except StartupError as failure:
        error = str(failure)
    except Exception:
        error = INTERNAL_MESSAGE
        log.exception("reload failed", part=part)
    note_outcome(part, error)
    return error


def note_outcome(part: str, error: str) -> None:
    """Log and count how reading a part again went; `error` is empty when it went well."""
    outcome: ReloadOutcome = "failed" if error else "done"
    metrics.RELOADS.labels(part, outcome).inc()
    metrics.LAST_RELOAD_SUCCESSFUL.labels(part).set(not error)
    if error:
        log.error("reload failed, the previous content stays in use", part=part, error=error)
    else:
        log.info("reloaded", part=part)
