"""Joins calls that wait for the same model into one run.

A fast run happens at once, on the thread that brings the calls: handing it over would cost more
than it takes. A slow one goes to a thread of its own, so that new calls are still read, and what
arrives meanwhile is the next run. So does a message that takes long to read.

Whatever goes wrong, each call ends with an answer or an error, and its model goes on.
"""

import functools
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from operator import attrgetter

import structlog

from server.errors import Overloaded, RequestError, TakesLong, TooLarge
from server.models.model import Model
from server.models.served import Served
from server.running import run
from server.running.calls import NOT_COUNTED, Call, refuse, refuse_all
from server.running.queues import Queue, Queues
from server.running.request import FLOAT_BYTES, Request
from server.running.shadowing import Shadow
from server.system.threads import Threads
from server.telemetry import metrics
from server.telemetry.version_stats import VERSIONS, VersionStats

log = structlog.get_logger()

_size, _request = attrgetter("size"), attrgetter("request")

FAST_SECONDS = 0.001
"""A run that takes no longer is done at once."""

CANONICALIZE_SECONDS = 15e-6
"""Roughly what it takes to canonicalize an image."""

RUNNERS = 4
"""Threads for slow runs. A model uses one at a time and takes turns with the others after each run,
so that no model keeps another waiting for longer than that.
"""

READERS = 2
"""Threads for messages that take long to read."""

SPARE_BYTES = 64 * 1024
"""Of a waiting message with more than this beside its pixels, only the pixels are kept."""


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
        # A version that is no longer loaded takes its queue and statistics with it.
        self._by_model: weakref.WeakKeyDictionary[Model, tuple[Queue[Call], VersionStats]]
        self._by_model = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._runners, self._readers = Threads(RUNNERS, "run"), Threads(READERS, "read")
        self._full = Overloaded(
            "queue_full",
            f"the queue is full: {max_queued_images} images for a model may wait, and "
            f"{max_queued_bytes} bytes for all; come back later",
        )
        self._shadow = Shadow(max_batch_size)
        metrics.QUEUED_IMAGES.set_function(lambda: self._queues.images)
        metrics.QUEUED_BYTES.set_function(lambda: self._queues.bytes)
        metrics.MAX_QUEUED_IMAGES.set(max_queued_images)
        metrics.MAX_QUEUED_BYTES.set(max_queued_bytes)

    @property
    def is_alive(self) -> bool:
        """Whether all threads that it needs are there."""
        return self._runners.are_alive and self._readers.are_alive

    def refusal(self) -> Overloaded | None:
        """Return why no call can be taken now, whatever it holds; None when one can."""
        full, models = self._queues.full, self._served.models
        if not full or models is None or full < sum(1 for _ in models):
            return None
        return self._full

    def take(self, calls: Sequence[Call]) -> None:
        """Answer calls that have arrived together; those that take long are answered later."""
        self._start(self._decode(calls, patient=False))

    def answer_alone(self, call: Call) -> None:
        """Answer one call on this thread, joined with no other."""
        for model, read in self._decode([call], patient=True).items():
            try:
                _, stats = self._queue_of(model)
                run.answer(model, stats, read, self._shadowing())
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
        canonicalized = 0
        if any(request.canonicalize for request in set(map(_request, calls))):
            canonicalized = sum(call.size for call in calls if call.request.canonicalize)
        queue, stats = self._queue_of(model)
        if _is_fast(model, images, canonicalized) and self._queues.try_start(queue, images):
            try:
                run.answer(model, stats, calls, self._shadowing())
            finally:
                self._go_on(model, queue, stats)
            return
        for call in calls:
            hold(call)
        starts, refused = self._queues.enqueue(queue, calls)
        for call in refused:
            refuse(call, self._full)
        if starts:
            self._go_on(model, queue, stats)

    def _go_on(self, model: Model, queue: Queue[Call], stats: VersionStats) -> None:
        """Run the model for the calls that wait, if any: at once as long as that is fast."""
        while self._queues.finish(queue):
            if not _is_fast(model, queue.images, queue.canonicalized):
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
            try:
                metrics.DECODE.observe(seconds, len(read))
            except Exception:
                log.exception(NOT_COUNTED)
        return arrived

    def _read(self, calls: Sequence[Call], patient: bool) -> dict[Model, list[Call]]:
        """Return the calls that can be answered, by model; the others are refused or left to the
        readers.
        """
        arrived: dict[Model, list[Call]] = {}
        models, max_message_bytes = self._served.models, self._max_message_bytes
        model: Model | None = None
        known: Request | None = None
        image_bytes, max_images = sys.maxsize, 0
        for call in calls:
            try:
                if models is None:
                    models = self._served.require()
                size = len(call.message)
                if size > max_message_bytes:
                    raise TooLarge(
                        "message_bytes",
                        f"the message has {size} bytes, larger than max_message_bytes, "
                        f"{max_message_bytes}; send fewer images in one call, or as bytes, which "
                        "are a quarter of the floats, or raise the server's --max-message-bytes",
                    )
                call.request, call.pixels = request, pixels = call.read(call.message, patient)
                # Most calls ask for the same as the one before.
                if request is not known or model is None:
                    model = models.find(request.model, request.version, request.label, call)
                    known = None if models.are_spread else request
                    image_bytes = _bytes_of_one(model, request)
                    max_images = 0
                size, rest = divmod(len(pixels), image_bytes)
                if rest or not 0 < size <= self._max_batch_size:
                    size = request.count_images(pixels, model, self._max_batch_size)
                if size > max_images:
                    request.check_answer(model, size, max_message_bytes)
                    # Then the answer for fewer fits too.
                    max_images = size
                call.size = size
                arrived.setdefault(model, []).append(call)
            except TakesLong:
                self._read_later(call)
            except RequestError as error:
                refuse(call, error)
            except Exception as error:
                log.exception("call failed")
                refuse(call, error)
        return arrived

    def _read_later(self, call: Call) -> None:
        """Have a message read by a thread that no other call waits for."""
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

    def _queue_of(self, model: Model) -> tuple[Queue[Call], VersionStats]:
        """Return a model's queue, and what its runs are counted in."""
        known = self._by_model.get(model)
        if known is None:
            with self._lock:
                new = Queue[Call](), VERSIONS.stats(model)
                known = self._by_model.setdefault(model, new)
        return known

    def _shadowing(self) -> run.Offer | None:
        """Return what lets other versions run answered requests too, if any does."""
        models = self._served.models
        if models is None or not models.are_shadowed:
            return None
        return functools.partial(self._shadow.offer_all, models)


def _is_fast(model: Model, images: int, canonicalized: int) -> bool:
    seconds = model.expected_seconds(images) + CANONICALIZE_SECONDS * canonicalized
    return seconds <= FAST_SECONDS


def hold(call: Call) -> None:
    """Keep no more of a call's message than its run needs."""
    if len(call.message) > 2 * len(call.pixels) + SPARE_BYTES:
        call.pixels = memoryview(bytes(call.pixels))
        call.message = b""
    call.held_bytes = len(call.message) or len(call.pixels)


def _bytes_of_one(model: Model, request: Request) -> int:
    """Return the bytes of one image if its size alone decides, else more than messages have."""
    if request.canonicalize or request.outputs or request.shape is not None:
        return sys.maxsize
    if not request.is_bytes:
        return FLOAT_BYTES * model.n_pixels
    return model.n_pixels if model.takes_pixels else sys.maxsize
