"""One pass over the repository: its findings, its failures and its progress."""

import contextlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from server.models.model import Model
from server.models.onnx.file import Stamp
from server.models.repository import Models
from server.reasons.loads import LoadReason
from server.telemetry import metrics

log = structlog.get_logger()

Key = tuple[str, int]
"""A model's name and the number of a version."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a version could not be loaded from the file that had this stamp.

    As text, since an exception would keep objects of its frames alive, such as a model.
    """

    stamp: Stamp
    message: str
    reason: LoadReason


@dataclass(slots=True)
class Pass:
    """One pass over the repository: what is loaded so far, which of the wanted versions have
    failed, which are doubtful, and how many were tried. Models in `kept` are not unloaded, whatever
    has gone from the disk.
    """

    loaded: dict[Key, Model]
    kept: Container[str] = ()
    missed: set[Key] = field(default_factory=set)
    doubtful: dict[Key, Model] = field(default_factory=dict)
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What to serve after a pass over the repository; `problems` says why each wanted version is
    not loaded, or differs from the file on disk. `tried` counts attempts to load; `has_absent` is
    whether versions will be unloaded unless they come back.
    """

    models: Models
    problems: Sequence[str] = ()
    tried: int = 0
    has_absent: bool = False


@dataclass(slots=True)
class Progress:
    """The version that is being loaded, and those that a pass in progress has yet to load or has
    loaded but not served.

    Each is replaced as a whole, so that any thread may read it.
    """

    loading: Key | None = None
    awaited: frozenset[Key] = frozenset()

    def begin(self, awaited: Iterable[Key]) -> None:
        """Note what a pass is about to load."""
        self.awaited = frozenset(awaited)

    def end(self) -> None:
        """Note that what the pass has loaded is served."""
        self.awaited = frozenset()

    @contextlib.contextmanager
    def load(self, key: Key) -> Iterator[None]:
        """Note that a version is being loaded while the block runs."""
        self.loading = key
        try:
            yield
        finally:
            self.loading = None


def note_loaded(model: Model) -> None:
    """Count and log that a version was loaded."""
    metrics.MODEL_LOADS.labels(model.name).inc()
    log.info(
        "model loaded",
        model=model.name,
        version=model.version,
        layer_sizes=list(model.layer_sizes),
        parameters=model.parameters,
        golden_difference=model.golden_difference,
        seconds=round(model.load_seconds, 4),
    )


def note_failure(key: Key, failure: Failure) -> None:
    """Count and log that a version could not be loaded."""
    name, version = key
    metrics.MODEL_LOAD_FAILURES.labels(name, failure.reason).inc()
    log.error(
        "model not loaded",
        model=name,
        version=version,
        reason=failure.reason,
        message=failure.message,
    )
