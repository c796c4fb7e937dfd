"""Joins calls that wait for the same model into one run.

A fast run happens at once, on the thread that brings the calls: handing it over would cost more
than it takes. A slow one goes to a thread of its own, so that new calls are still read, and what
arrives meanwhile is the next run. So does a message that takes long to read.

Whatever goes wrong, each call ends with an answer or an error, and its model goes on.
"""

import functools
import math
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import structlog

from server.errors import Overloaded, RequestError, TakesLong, TooLarge
from server.models.model import Model
from server.models.served import Served, not_loaded
from server.running import run
from server.running.calls import Call, fail, fail_all, refuse, refuse_all
from server.running.queues import Queue, Queues
from server.running.request import Request
from server.running.shadowing import Shadow
from server.system.threads import Threads
from server.telemetry import metrics
from server.telemetry.version_stats import VERSIONS, VersionStats

log = structlog.get_logger()

_size, _request = attrgetter("size"), attrgetter("request")

FAST_SECONDS = 0.001
"""A run that is expected to take no longer happens at once."""

RUNNERS = 4
"""Threads for slow runs. A model uses one at a time and takes turns with the others after each run,
so that no model keeps another waiting for longer than that.
"""

READERS = 2
"""Threads for messages that take long to read."""

SPARE_BYTES = 64 * 1024
"""Of a waiting message with more than this besides its pixels, only the pixels are kept."""

MAX_SIZES = 256
"""Requests of which the number of images is kept for each model."""


@dataclass(slots=True, eq=False)
class _State:
    """What is kept of a model: its queue, what its runs are counted in, and the number of images of
    requests that have been checked, by their bytes of pixels.
    """

    stats: VersionStats
    queue: Queue[Call] = field(default_factory=Queue)
    sizes: dict[tuple[Request, int], int] = field(default_factory=dict)


class Batcher:
    """Answers calls with the models that are served.

    `max_batch_size` bounds the images of a call and of a run, `max_message_bytes` what a call's
    message and its answer may have. `max_queued_images` bounds the images that wait for each model,
    `max_queued_bytes` the messages that wait for all of them.
    """

    def __init__(
        self,
        max_batch_size: int,
        max_queued_images: int,
        max_message_bytes: int,
        max_queued_bytes: int,
        served: Served,
    ) -> None:
        self._served = served
        self._max_batch_size = max_batch_size
        self._max_message_bytes = max_message_bytes
        self._queues = Queues[Call](max_batch_size, max_queued_images, max_queued_bytes)
        # A version that is no longer loaded takes its state with it.
        self._by_model: weakref.WeakKeyDictionary[Model, _State] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._runners, self._readers = Threads(RUNNERS, "run"), Threads(READERS, "read")
        self._full = Overloaded(
            "queue_full",
            f"the queue is full: {max_queued_images} images for a model may wait, and "
            f"{max_queued_bytes} bytes for all; retry later",
        )
        self._shadow = Shadow(max_batch_size)
        metrics.QUEUED_IMAGES.set_function(lambda: self._queues.images)
        metrics.QUEUED_BYTES.set_function(lambda: self._queues.bytes)
        metrics.MAX_QUEUED_IMAGES.set(max_queued_images)
        metrics.MAX_QUEUED_BYTES.set(max_queued_bytes)

    @property
    def is_alive(self) -> bool:
        """Whether all threads that it needs are alive."""
        return self._runners.are_alive and self._readers.are_alive

    def refusal(self) -> Overloaded | None:
        """Return why no call can be accepted now, whatever it holds; None if one can."""
        full, models = self._queues.full, self._served.models
        if not full or models is None or full < sum(1 for _ in models):
            return None
        return self._full

    def take(self, calls: Sequence[Call]) -> None:
        """Answer calls that have arrived together; slow ones are answered later."""
        self._start(self._decode(calls, patient=False))

    def answer_alone(self, call: Call) -> None:
        """Answer one call on this thread, without joining it with others."""
        for model, read in self._decode([call], patient=True).items():
            try:
                run.answer(model, self._state(model).stats, read, self._shadowing())
            except Exception as error:
                log.exception("call failed")
                refuse_all(read, error)

    def _start(self, arrived: dict[Model, list[Call]]) -> None:
        """Run models for calls, or let these wait for a run."""
        for model, calls in arrived.items():
            try:
                self._start_model(model, calls)
            except Exception as error:
                log.exception("calls failed", model=model.name, version=model.version)
                refuse_all(calls, error)

    def _start_model(self, model: Model, calls: list[Call]) -> None:
        images = sum(map(_size, calls))
        extra_seconds = 0.0
        if any(request.extra_seconds for request in set(map(_request, calls))):
            extra_seconds = sum(call.size * call.request.extra_seconds for call in calls)
        state = self._state(model)
        queue, stats = state.queue, state.stats
        if _is_fast(model, images, extra_seconds) and self._queues.try_start(queue, images):
            try:
                run.answer(model, stats, calls, self._shadowing())
            finally:
                self._go_on(model, queue, stats)
            return
        for call in calls:
            hold(call)
        starts, refused = self._queues.enqueue(queue, calls)
        fail_all(refused, self._full, stats)
        if starts:
            self._go_on(model, queue, stats)

    def _go_on(self, model: Model, queue: Queue[Call], stats: VersionStats) -> None:
        """Run the model for waiting calls, if any: on this thread as long as that is fast."""
        while self._queues.finish(queue):
            if not _is_fast(model, queue.images, queue.extra_seconds):
                self._runners.submit(self._run_slowly, model, queue, stats)
                return
            run.answer(model, stats, self._queues.take(queue), self._shadowing())

    def _run_slowly(self, model: Model, queue: Queue[Call], stats: VersionStats) -> None:
        """Run the model once, on a thread that other models use too."""
        try:
            run.answer(model, stats, self._queues.take(queue), self._shadowing())
        finally:
            if self._queues.finish(queue):
                self._runners.submit(self._run_slowly, model, queue, stats)

    def _decode(self, calls: Sequence[Call], *, patient: bool) -> dict[Model, list[Call]]:
        """Read calls and time it; the rest of their time until a run counts as waiting."""
        begin = time.perf_counter()
        arrived = self._read(calls, patient)
        seconds = time.perf_counter() - begin
        for read in arrived.values():
            for call in read:
                call.waiting_since = call.begin + seconds
        return arrived

    def _read(self, calls: Sequence[Call], patient: bool) -> dict[Model, list[Call]]:
        """Return the calls that can be answered, by model; the others are refused or left to the
        readers.
        """
        arrived: dict[Model, list[Call]] = {}
        models, max_message_bytes = self._served.models, self._max_message_bytes
        if models is None:
            refuse_all(calls, not_loaded())
            return arrived
        model: Model | None = None
        known: Request | None = None
        sizes: dict[tuple[Request, int], int] = {}
        for call in calls:
            try:
                size = len(call.message)
                if size > max_message_bytes:
                    raise TooLarge(
                        "message_bytes",
                        f"the message has {size} bytes, larger than max_message_bytes, "
                        f"{max_message_bytes}; send fewer images in one call, or as bytes, which "
                        "are a quarter of the floats, or raise the server's --max-message-bytes",
                        size,
                        max_message_bytes,
                    )
                request, pixels, call.identifier = call.read(call.message, patient)
                call.request, call.pixels = request, pixels
                # Most calls ask for the same as the one before.
                if request is not known or model is None:
                    model = models.find(request.model, request.version, request.label, call)
                    known = None if models.are_spread else request
                    sizes = self._state(model).sizes
                images = sizes.get((request, len(pixels))) or self._count_images(call, model)
                if not images:
                    continue
                call.size = images
                if request.timeout_seconds < math.inf:
                    call.deadline = min(call.deadline, call.begin + request.timeout_seconds)
                arrived.setdefault(model, []).append(call)
            except TakesLong:
                self._read_later(call)
            except Exception as error:  # noqa: BLE001  # logged in there
                _refuse(call, error)
        return arrived

    def _count_images(self, call: Call, model: Model) -> int:
        """Return and note how many images a call has; 0 if it has failed."""
        request, pixels, state = call.request, call.pixels, self._state(model)
        try:
            images = request.count_images(pixels, model, self._max_batch_size)
            request.check_answer(model, images, self._max_message_bytes)
        except RequestError as error:
            fail(call, error, state.stats)
            return 0
        if len(state.sizes) >= MAX_SIZES:
            # Requests that are never repeated must not fill it.
            state.sizes.clear()
        state.sizes[request, len(pixels)] = images
        return images

    def _read_later(self, call: Call) -> None:
        """Read a message on a thread that no other call waits for."""
        held = len(call.message)
        if self._queues.reserve(held):
            self._readers.submit(self._read_patiently, call, held)
        else:
            refuse(call, self._full)

    def _read_patiently(self, call: Call, held: int) -> None:
        try:
            arrived = self._decode([call], patient=True)
        finally:
            self._queues.release(held)
        self._start(arrived)

    def _state(self, model: Model) -> _State:
        known = self._by_model.get(model)
        if known is None:
            with self._lock:
                known = self._by_model.setdefault(model, _State(VERSIONS.stats(model)))
        return known

    def _shadowing(self) -> run.Offer | None:
        """Return the function that offers answered requests to shadows, if there are any."""
        models = self._served.models
        if models is None or not models.are_shadowed:
            return None
        return functools.partial(self._shadow.offer_all, models)


def _is_fast(model: Model, images: int, extra_seconds: float) -> bool:
    return model.expected_seconds(images) + extra_seconds <= FAST_SECONDS


def _refuse(call: Call, error: Exception) -> None:
    if not isinstance(error, RequestError):
        log.error("call failed", exc_info=error)
    refuse(call, error)


def hold(call: Call) -> None:
    """Keep only the part of a call's message that its run needs."""
    if len(call.message) > 2 * len(call.pixels) + SPARE_BYTES:
        call.pixels = memoryview(bytes(call.pixels))
        call.message = b""
    call.held_bytes = len(call.message) or len(call.pixels)
