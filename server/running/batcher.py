"""Joins calls that wait for the same model into one run, and gives each its own answer.

A fast run happens at once, on the thread that brings the calls: handing it over would cost more
than it takes. A slow one goes to a thread of its own, so that new calls are still read, and what
arrives meanwhile is the next run. So does a message that takes long to read.

Whatever goes wrong, each call ends with an answer or an error, and its model goes on.
"""

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Protocol

import structlog

from server.errors import (
    Cancelled,
    Expired,
    Overloaded,
    RequestError,
    TakesLong,
    TooLarge,
    reason_of,
)
from server.models.model import Model
from server.models.repository import Models
from server.models.served import Served
from server.running import run as prediction
from server.running.queues import Queue, Queues
from server.running.request import FLOAT_BYTES, Answer, Request
from server.running.run import Run
from server.running.shadowing import Answered, Shadow
from server.system.threads import Threads
from server.telemetry import metrics
from server.telemetry.record import Record, note_run
from server.telemetry.version_stats import VERSIONS, VersionStats

log = structlog.get_logger()

_size, _request = attrgetter("size"), attrgetter("request")

FAST_SECONDS = 0.001
"""A run that takes no longer is done at once."""

CANONICALIZE_SECONDS = 15e-6
"""What it takes to canonicalise an image, about."""

RUNNERS = 4
"""Threads for slow runs. A model uses one at a time, and goes to the end of the line after each
run, so that no model keeps another waiting for more than a run.
"""

READERS = 2
"""Threads for messages that take long to read."""

WRITTEN_TOGETHER = 4
"""Answers of the same kind from which on they are written at once."""

NOT_COUNTED = "calls are answered, but not counted"

SPARE_BYTES = 64 * 1024
"""What a message may hold beside its pixels while it waits; of others the pixels alone are kept."""


NO_PIXELS = memoryview(b"")


class Call(Protocol):
    """A call that waits for its answer; it gets exactly one, from any thread.

    `read` returns what a message asks for, and its pixels; it raises InvalidField. `begin` is when
    the call arrived, by time.perf_counter. The batcher keeps what it has read with the call.
    """

    message: bytes
    begin: float
    deadline: float
    """When its caller stops waiting, by time.perf_counter; ages away for never."""
    cancelled: bool
    request: Request
    pixels: memoryview
    size: int
    """Its number of images."""
    held_bytes: int
    """What is kept of its message while it waits."""
    waiting_since: float
    """When it arrived, later by the time that reading took."""
    record: Record | None
    """Where to note what becomes of it, if anybody asks."""

    @property
    def ended(self) -> bool:
        """Whether it has its answer; further ones change nothing."""
        ...

    @property
    def read(self) -> Callable[[bytes, bool], tuple[Request, memoryview]]:
        """Return what reads its message, and raises TakesLong unless the second is true."""
        ...

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value."""
        ...

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        ...

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        ...


class Batcher:
    """Answers calls with the models that are served.

    `max_batch_size` bounds the images of a call and of a run, `max_message_bytes` what a call's
    message and its answer may have. `max_queued_images` bounds what waits for each model,
    `max_queued_bytes` what waits for all of them.
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
        # A version that is no longer loaded takes its queue and counts with it.
        self._of_models: weakref.WeakKeyDictionary[Model, tuple[Queue[Call], VersionStats]]
        self._of_models = weakref.WeakKeyDictionary()
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
                _, counts = self._of(model)
                self._run(model, counts, read)
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
        queue, counts = self._of(model)
        if _is_fast(model, images, canonicalized) and self._queues.try_start(queue, images):
            try:
                self._run(model, counts, calls)
            finally:
                self._go_on(model, queue, counts)
            return
        for call in calls:
            hold(call)
        starts, refused = self._queues.enqueue(queue, calls)
        for call in refused:
            refuse(call, self._full)
        if starts:
            self._go_on(model, queue, counts)

    def _go_on(self, model: Model, queue: Queue[Call], counts: VersionStats) -> None:
        """Run the model for what waits, if anything does: at once while that is fast."""
        while self._queues.finish(queue):
            if not _is_fast(model, queue.images, queue.canonicalized):
                self._runners.submit(self._run_slowly, model, queue, counts)
                return
            self._run(model, counts, self._queues.take(queue))

    def _run_slowly(self, model: Model, queue: Queue[Call], counts: VersionStats) -> None:
        """Run the model once, on a thread that others wait for, too."""
        try:
            self._run(model, counts, self._queues.take(queue))
        finally:
            if self._queues.finish(queue):
                self._runners.submit(self._run_slowly, model, queue, counts)

    def _decode(self, calls: Sequence[Call], *, patient: bool) -> dict[Model, list[Call]]:
        """Read calls, and count what that took; the rest of their time until a run is waiting."""
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
        """Return the calls that can be answered by their models; the others are refused, or left to
        the readers.
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
                # Most calls want what the one before wanted.
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
                    # So does the answer for fewer.
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
        """Have a message read by a thread on which nobody else waits."""
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

    def _of(self, model: Model) -> tuple[Queue[Call], VersionStats]:
        """Return a model's queue and counts."""
        found = self._of_models.get(model)
        if found is None:
            with self._lock:
                made = Queue[Call](), VERSIONS.stats(model)
                found = self._of_models.setdefault(model, made)
        return found

    def _run(self, model: Model, counts: VersionStats, calls: Sequence[Call]) -> None:
        """Run the model once and give each call that somebody still waits for its answer."""
        try:
            waiting = drop_abandoned(model, calls)
            if waiting:
                self._answer(model, counts, waiting)
        except Exception as error:
            log.exception("run failed", model=model.name, version=model.version)
            refuse_all(calls, error)
        finally:
            for call in calls:
                release(call)

    def _answer(self, model: Model, counts: VersionStats, calls: Sequence[Call]) -> None:
        begin = time.perf_counter()
        run = prediction.run(model, calls)
        ran = time.perf_counter()
        try:
            metrics.QUEUE.observe_all([begin - call.waiting_since for call in calls])
            metrics.RUN.observe(ran - begin, len(calls))
            counts.count_run(len(calls), len(run.labels))
            _see(counts, calls, run)
        except Exception:
            log.exception(NOT_COUNTED)
        responses = write(calls, run)
        encoded = time.perf_counter()
        try:
            metrics.ENCODE.observe(encoded - ran, len(calls))
            note_run(calls, model, len(run.labels), begin, ran, encoded)
        except Exception:
            log.exception(NOT_COUNTED)
        for call, response in zip(calls, responses, strict=True):
            if isinstance(response, bytes):
                answer(call, response)
            else:
                call.record = call.record or Record(model=model, images=call.size)
                refuse(call, response)
        models = self._served.models
        if models is not None and models.are_shadowed:
            self._offer(models, calls, run)

    def _offer(self, models: Models, calls: Sequence[Call], run: Run) -> None:
        """Let some requests be run by other versions too."""
        labels = run.labels.tolist()
        begin = 0
        for index, call in enumerate(calls):
            end = begin + call.size
            if not (run.errors and run.errors[index]):
                found = Answered(run.model, call.request, call.pixels, call.size, labels[begin:end])
                self._shadow.offer(models, found)
            begin = end


def _is_fast(model: Model, images: int, canonicalized: int) -> bool:
    seconds = model.expected_seconds(images) + CANONICALIZE_SECONDS * canonicalized
    return seconds <= FAST_SECONDS


def _see(counts: VersionStats, calls: Sequence[Call], run: Run) -> None:
    """Take note of the images that are going to be answered."""
    ink, activations, labels = run.ink, run.layers[0], run.labels
    if any(run.errors):
        answered = [
            index
            for call, error in zip(calls, run.errors, strict=True)
            for index in [error is None] * call.size
        ]
        ink, activations, labels = ink[answered], activations[answered], labels[answered]
    counts.observe(ink, activations, labels)


def hold(call: Call) -> None:
    """Keep no more of a call's message than its run needs."""
    if len(call.message) > 2 * len(call.pixels) + SPARE_BYTES:
        call.pixels = memoryview(bytes(call.pixels))
        call.message = b""
    call.held_bytes = len(call.message) or len(call.pixels)


def release(call: Call) -> None:
    """Let go of a call's message: the call itself is there until its caller has read the answer."""
    call.message, call.pixels = b"", NO_PIXELS


def write(calls: Sequence[Call], run: Run) -> Sequence[bytes | Exception]:
    """Return each call's response, or why it has none."""
    request = calls[0].request
    if (
        len(calls) >= WRITTEN_TOGETHER
        and len(calls) == len(run.labels)
        and request.write_each is not None
        and not run.errors
        and all(call.request is request for call in calls)
    ):
        return request.write_each(run.model, run.labels, run.layers[0])
    answers = prediction.split(run, [call.size for call in calls])
    errors = run.errors or repeat(None)
    return [
        error or _write(call.request, answer)
        for call, answer, error in zip(calls, answers, errors, strict=False)
    ]


def _write(request: Request, answer: Answer) -> bytes | Exception:
    """Return a response, or what kept it from being written, which is not to hurt others."""
    try:
        return request.write(answer)
    except Exception as error:
        log.exception("writing an answer failed")
        return error


def drop_abandoned(model: Model, calls: Sequence[Call]) -> Sequence[Call]:
    """Return the calls that somebody still waits for, and refuse the others."""
    now = time.perf_counter()
    waiting = [call for call in calls if not call.cancelled and call.deadline > now]
    if len(waiting) == len(calls):
        return calls
    for call in calls:
        error: RequestError
        if call.cancelled:
            error = Cancelled("cancelled", "the caller has left")
        elif call.deadline <= now:
            error = Expired("deadline", "the call's time was over before the model ran")
        else:
            continue
        call.record = call.record or Record()
        call.record.predict(model, call.size)
        refuse(call, error)
    return waiting


def refuse_all(calls: Iterable[Call], error: Exception) -> None:
    """End calls with an error, those that have not ended."""
    for call in calls:
        refuse(call, error)


def answer(call: Call, response: bytes) -> None:
    """End a call with a response; if it takes none, with an error."""
    try:
        call.answer(response)
    except Exception as error:
        log.exception("answering failed")
        refuse(call, error)


def refuse(call: Call, error: Exception) -> None:
    """End a call with an error; does nothing when it has ended."""
    if call.ended:
        return
    try:
        note_refusal(error)
    except Exception:
        log.exception(NOT_COUNTED)
    call.refuse(error)
    release(call)


def note_refusal(error: Exception) -> None:
    """Count an error that ends a call, by its reason."""
    metrics.REJECTED.labels(reason_of(error)).inc()


def _bytes_of_one(model: Model, request: Request) -> int:
    """Return the bytes of one image where that is all to know, else more than messages have."""
    if request.canonicalize or request.outputs or request.shape is not None:
        return sys.maxsize
    return model.n_pixels if request.is_bytes else FLOAT_BYTES * model.n_pixels
