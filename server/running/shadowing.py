"""Runs a share of the answered requests on a second version, and counts where labels differ.

Callers never notice: requests that fail or find no room are counted as skipped.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from server.errors import InvalidField
from server.models.model import Model
from server.models.repository import Models
from server.running import run
from server.running.calls import Call
from server.running.request import Request
from server.system.threads import Threads
from server.telemetry.version_stats import VERSIONS

log = structlog.get_logger()

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes of messages that may be kept until the shadow has classified their images."""

SPARE_BYTES = 64 * 1024
"""A message with more than this besides its pixels is not kept; its pixels are copied."""

OVERHEAD_BYTES = 1024
"""The memory of a waiting request, besides its message."""


@dataclass(slots=True, eq=False)
class Answered:
    """A request of `size` images, and the labels that a model answered."""

    model: Model
    request: Request
    pixels: memoryview
    size: int
    labels: Sequence[int]


class Shadow:
    """Runs on its own thread; skips requests once `max_images` or `max_bytes` are waiting."""

    def __init__(self, max_images: int, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_images, self._max_bytes = max_images, max_bytes
        self._waiting_images = self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._thread = Threads(1, "shadow")

    def offer_all(self, models: Models, calls: Sequence[Call], finished: run.Run) -> None:
        """Offer each request of a run that has been answered."""
        labels = finished.labels.tolist()
        begin = 0
        for index, call in enumerate(calls):
            end = begin + call.size
            if not (finished.errors and finished.errors[index]):
                self.offer(
                    models,
                    Answered(
                        finished.model, call.request, call.pixels, call.size, labels[begin:end]
                    ),
                )
            begin = end

    def offer(self, models: Models, answered: Answered) -> None:
        """Run a request on its model's shadow later, if there is one and it is sampled; never
        raises.
        """
        try:
            versions = models.by_name.get(answered.model.name)
            shadowing = versions.shadowing if versions else None
            if shadowing is None or shadowing.model is answered.model:
                return
            if random.random() >= shadowing.share:  # noqa: S311  # nobody gains by guessing it
                return
            self._take(shadowing.model, answered)
        except Exception:
            log.exception("an answered request was not passed to the shadow")

    def _take(self, model: Model, answered: Answered) -> None:
        """Let a request wait, or count it as skipped."""
        whole = memoryview(answered.pixels.obj).nbytes
        is_copied = whole > len(answered.pixels) + SPARE_BYTES
        held = (len(answered.pixels) if is_copied else whole) + OVERHEAD_BYTES
        with self._lock:
            fits = (
                model.n_pixels == answered.model.n_pixels
                and (model.takes_pixels or not answered.request.needs_pixels)
                and self._waiting_images + answered.size <= self._max_images
                and self._waiting_bytes + held <= self._max_bytes
            )
            if fits:
                self._waiting_images += answered.size
                self._waiting_bytes += held
        if not fits:
            _skip(model, answered)
            return
        try:
            if is_copied:
                answered.pixels = memoryview(bytes(answered.pixels))
            if answered.request.hidden_activations:
                # They are not compared, and may be larger than all else.
                answered.request = replace(answered.request, hidden_activations=False)
            self._thread.submit(self._run, model, answered, held)
        except BaseException:
            self._release(answered, held)
            _skip(model, answered)
            raise

    def _release(self, answered: Answered, held: int) -> None:
        with self._lock:
            self._waiting_images -= answered.size
            self._waiting_bytes -= held

    def _run(self, model: Model, answered: Answered, held: int) -> None:
        try:
            differing = _count_differing(model, answered)
        except InvalidField:
            # Its input range is different.
            _skip(model, answered)
        except Exception:
            log.exception("shadow run failed", model=model.name, version=model.version)
            _skip(model, answered)
        else:
            VERSIONS.stats(model).count_shadowed(answered.size, differing)
        finally:
            self._release(answered, held)


def _skip(model: Model, answered: Answered) -> None:
    VERSIONS.stats(model).count_skipped(answered.size)


def _count_differing(model: Model, answered: Answered) -> int:
    """Return how many images get another label than in their answer; raises the run's errors."""
    finished = run.run(model, [answered])
    for error in finished.errors:
        if error is not None:
            raise error
    # By their names, since another version may have its classes in another order.
    return sum(
        model.labels[label] != answered.model.labels[other]
        for label, other in zip(finished.labels.tolist(), answered.labels, strict=True)
    )
