"""Runs a share of the answered requests on a second version, and counts where labels differ."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from server import metrics, prediction
from server.model import Model
from server.repository import Models
from server.request import Request

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Answered:
    """A request of `size` images, and the labels that a model answered."""

    model: Model
    request: Request
    pixels: memoryview
    size: int
    labels: Sequence[int]


class Shadow:
    """Has a thread of its own; what is more than `max_images` waiting for it is passed over."""

    def __init__(self, max_images: int) -> None:
        self._max_images = max_images
        self._waiting_images = 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    def offer(self, models: Models, answered: Answered) -> None:
        """Run a request on its model's shadow later, if there is one and chance says so."""
        versions = models.by_name.get(answered.model.name)
        shadowing = versions.shadowing if versions else None
        if shadowing is None or shadowing.model is answered.model:
            return
        if random.random() >= shadowing.share:  # noqa: S311  # nobody gains by guessing it
            return
        with self._lock:
            fits = self._waiting_images + answered.size <= self._max_images
            fits = fits and shadowing.model.n_pixels == answered.model.n_pixels
            self._waiting_images += answered.size if fits else 0
        if not fits:
            labels = (shadowing.model.name, str(shadowing.model.version))
            metrics.SHADOW_SKIPPED.labels(*labels).inc(answered.size)
            return
        self._thread.submit(self._run, shadowing.model, answered)

    def _run(self, model: Model, answered: Answered) -> None:
        try:
            found = prediction.run(model, [answered])
        except Exception:
            log.exception("shadow run failed", model=model.name, version=model.version)
            return
        finally:
            with self._lock:
                self._waiting_images -= answered.size
        if any(found.errors):
            return
        # By their names, since another version may have its classes in another order.
        differing = sum(
            model.labels[label] != answered.model.labels[other]
            for label, other in zip(found.labels.tolist(), answered.labels, strict=True)
        )
        labels = (model.name, str(model.version))
        metrics.SHADOW_IMAGES.labels(*labels).inc(answered.size)
        metrics.SHADOW_DIFFERING.labels(*labels).inc(differing)
