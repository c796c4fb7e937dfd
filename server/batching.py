"""Joins calls that wait for the same model into one run, and gives each its own answer.

A fast run happens at once, on the thread that brings the calls: handing it over would cost more
than it takes. A slow one goes to a thread of its own, so that new calls are still read, and what
arrives meanwhile is the next run.
"""

import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from operator import attrgetter
from typing import Protocol

import structlog

from server import metrics, prediction
from server.errors import (
    Cancelled,
    Expired,
    NotReady,
    Overloaded,
    RequestError,
    TooLarge,
)
from server.model import Model
from server.observed import Version
from server.prediction import Run
from server.record import Record, note_run
from server.repository import Models
from server.request import FLOAT_BYTES, Request
from server.shadowing import Answered, Shadow

log = structlog.get_logger()

_size, _request = attrgetter("size"), attrgetter("request")

FAST_SECONDS = 0.001
"""A run that takes no longer is done at once."""

CANONICALIZE_SECONDS = 15e-6
"""What it takes to put an image right, about."""

RUNNERS = 4
"""Threads for slow runs; a model uses one at a time."""


WRITTEN_TOGETHER = 4
"""Answers of the same kind from which on they are written at once."""


class Call(Protocol):
    """A call that waits for its answer; it gets exactly one, from any thread.

    `read` returns what a message asks for, and its pixels; it raises InvalidField. `begin` is when
    the call arrived, by time.perf_counter. The batcher keeps what it has read with the call.
    """

    message: bytes
    begin: float
    deadline: float
    """When its caller stops waiting, as time.time() counts; ages away for never."""
    cancelled: bool
    request: Request
    pixels: memoryview
    size: int
    """Its number of images."""
    waiting_since: float
    """When it arrived, later by the time that reading took."""
    record: Record | None
    """Where to note what becomes of it, if anybody asks."""

    @property
    def read(self) -> Callable[[bytes], tuple[Request, memoryview]]:
        """Return what reads its message."""
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


@dataclass(slots=True, eq=False)
class Line:
    """What waits for one model, whether some thread is running it, and where that is counted."""

    counts: Version
    waiting: deque[Call] = field(default_factory=deque)
    images: int = 0
    to_put_right: int = 0
    running: bool = False


class Batcher:
    """Answers calls with the loaded models; `models` is None until they are loaded.

    `max_batch_size` bounds the images of a call and of a run, `max_queued_images` those that wait,
    `max_message_bytes` what a call's message may have.
    """

    def __init__(self, max_batch_size: int, max_queued_images: int, max_message_bytes: int) -> None:
        self.models: Models | None = None
        self._max_batch_size = max_batch_size
        self._max_queued_images = max_queued_images
        self._max_message_bytes = max_message_bytes
        # A version that is no longer loaded takes its line with it.
        self._lines: weakref.WeakKeyDictionary[Model, Line] = weakref.WeakKeyDictionary()
        self._queued_images = 0
        self._lock = threading.Lock()
        self._runners = ThreadPoolExecutor(RUNNERS, thread_name_prefix="run")
        self._full = Overloaded(
            "queue_full",
            f"{max_queued_images} images are waiting, as many as the server takes; come back later",
        )
        self._shadow = Shadow(max_batch_size)
        metrics.QUEUED_IMAGES.set_function(lambda: self._queued_images)
        metrics.MAX_QUEUED_IMAGES.set(max_queued_images)

    def refusal(self) -> Overloaded | None:
        """Return why no call can be taken now, whatever it holds; None when one can."""
        return self._full if self._queued_images >= self._max_queued_images else None

    def take(self, calls: Sequence[Call]) -> None:
        """Answer calls that have arrived together; those of a slow run are answered later."""
        for model, read in self._decode(calls).items():
            images = sum(map(_size, read))
            to_put_right = 0
            if any(request.canonicalize for request in set(map(_request, read))):
                to_put_right = sum(call.size for call in read if call.request.canonicalize)
            line = self._line(model)
            if self._is_fast(model, images, to_put_right) and self._claim(line, images):
                self._run(model, line, read)
                self._run_line(model, line)
            elif self._queue(line, read):
                if self._is_fast(model, line.images, line.to_put_right):
                    self._run_line(model, line)
                else:
                    self._runners.submit(self._run_line, model, line)

    def answer_alone(self, call: Call) -> None:
        """Answer one call on this thread, joined with no other."""
        for model, read in self._decode([call]).items():
            self._run(model, self._line(model), read)

    def _decode(self, calls: Sequence[Call]) -> dict[Model, list[Call]]:
        """Read calls, and count what that took; the rest of their time until a run is waiting."""
        begin = time.perf_counter()
        arrived = self._read(calls)
        seconds = time.perf_counter() - begin
        for read in arrived.values():
            metrics.DECODE.observe(seconds, len(read))
            for call in read:
                call.waiting_since = call.begin + seconds
        return arrived

    def _read(self, calls: Sequence[Call]) -> dict[Model, list[Call]]:
        """Return the calls that can be answered by their models; the others are refused."""
        arrived: dict[Model, list[Call]] = {}
        models, max_message_bytes = self.models, self._max_message_bytes
        model: Model | None = None
        known: Request | None = None
        image_bytes = sys.maxsize
        for call in calls:
            try:
                if models is None:
                    raise NotReady(
                        "not_ready", "the server is still loading its models; try again shortly"
                    )
                size = len(call.message)
                if size > max_message_bytes:
                    raise TooLarge(
                        "message_bytes",
                        f"the message has {size} bytes, larger than max_message_bytes, "
                        f"{max_message_bytes}; send fewer images in one call, or as bytes, which "
                        "are a quarter of the floats, or raise the server's --max-message-bytes",
                    )
                call.request, call.pixels = request, pixels = call.read(call.message)
                # Most calls want what the one before wanted.
                if request is not known or model is None:
                    model = models.find(request.model, request.version, request.label, call)
                    known = None if models.are_spread else request
                    image_bytes = _bytes_of_one(model, request)
                size, rest = divmod(len(pixels), image_bytes)
                if rest or not 0 < size <= self._max_batch_size:
                    size = request.count_images(pixels, model, self._max_batch_size)
                call.size = size
                arrived.setdefault(model, []).append(call)
            except RequestError as error:
                refuse(call, error)
            except Exception as error:
                log.exception("call failed")
                refuse(call, error)
        return arrived

    def _line(self, model: Model) -> Line:
        line = self._lines.get(model)
        if line is None:
            with self._lock:
                line = self._lines.setdefault(model, Line(metrics.VERSIONS.of(model)))
        return line

    @staticmethod
    def _is_fast(model: Model, images: int, to_put_right: int) -> bool:
        seconds = model.expected_seconds(images) + CANONICALIZE_SECONDS * to_put_right
        return seconds <= FAST_SECONDS

    def _claim(self, line: Line, images: int) -> bool:
        """Take a line that nobody runs, for a run of so many images; returns whether that worked.

        They would wait for nothing, so they don't queue.
        """
        with self._lock:
            is_free = (
                not line.running
                and images <= self._max_batch_size
                and self._queued_images + images <= self._max_queued_images
            )
            line.running = line.running or is_free
        return is_free

    def _queue(self, line: Line, calls: Sequence[Call]) -> bool:
        """Let calls wait for their model; returns whether nobody runs it, so that this one must."""
        refused = []
        with self._lock:
            for call in calls:
                # What nothing waits for is taken however large it is.
                if 0 < self._queued_images > self._max_queued_images - call.size:
                    refused.append(call)
                    continue
                line.waiting.append(call)
                line.images += call.size
                line.to_put_right += call.size * call.request.canonicalize
                self._queued_images += call.size
            is_mine = not line.running and bool(line.waiting)
            line.running = line.running or is_mine
        for call in refused:
            refuse(call, self._full)
        return is_mine

    def _run_line(self, model: Model, line: Line) -> None:
        """Run the model until nothing waits for it."""
        while calls := self._next(line):
            self._run(model, line, calls)

    def _next(self, line: Line) -> list[Call]:
        """Return the calls of the next run; none ends the running."""
        taken: list[Call] = []
        with self._lock:
            images = 0
            while line.waiting and (
                not taken or images + line.waiting[0].size <= self._max_batch_size
            ):
                call = line.waiting.popleft()
                taken.append(call)
                images += call.size
                line.to_put_right -= call.size * call.request.canonicalize
            line.images -= images
            self._queued_images -= images
            line.running = bool(taken)
        return taken

    def _run(self, model: Model, line: Line, calls: Sequence[Call]) -> None:
        """Run the model once and give each call that somebody still waits for its answer."""
        now = time.time()
        waiting = [call for call in calls if not call.cancelled and call.deadline > now]
        if len(waiting) < len(calls):
            for call in calls:
                drop(call, model, now)
            if not waiting:
                return
            calls = waiting
        begin = time.perf_counter()
        try:
            run = prediction.run(model, calls)
        except Exception as error:
            log.exception("run failed", model=model.name, version=model.version)
            for call in calls:
                refuse(call, error)
            return
        ran = time.perf_counter()
        metrics.QUEUE.observe_all([begin - call.waiting_since for call in calls])
        metrics.RUN.observe(ran - begin, len(calls))
        line.counts.count_run(len(calls), len(run.labels))
        self._see(line, calls, run)
        responses = write(calls, run)
        encoded = time.perf_counter()
        metrics.ENCODE.observe(encoded - ran, len(calls))
        note_run(calls, model, len(run.labels), begin, ran, encoded)
        for call, response in zip(calls, responses, strict=True):
            if isinstance(response, bytes):
                call.answer(response)
            else:
                call.record = call.record or Record(model=model, images=call.size)
                refuse(call, response)
        models = self.models
        if models is not None and models.are_shadowed:
            self._offer(models, calls, run)

    def _see(self, line: Line, calls: Sequence[Call], run: Run) -> None:
        """Take note of the images that are going to be answered."""
        ink, activations, labels = run.ink, run.layers[0], run.labels
        if any(run.errors):
            answered = [
                index
                for call, error in zip(calls, run.errors, strict=True)
                for index in [error is None] * call.size
            ]
            ink, activations, labels = ink[answered], activations[answered], labels[answered]
        line.counts.see(ink, activations, labels)

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


def write(calls: Sequence[Call], run: Run) -> Sequence[bytes | RequestError]:
    """Return each call's response, or what is wrong with its images."""
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
        call.request.write(answer) if error is None else error
        for call, answer, error in zip(calls, answers, errors, strict=False)
    ]


def drop(call: Call, model: Model, now: float) -> None:
    """Refuse a call if nobody waits for it any more."""
    error: RequestError
    if call.cancelled:
        error = Cancelled("cancelled", "the caller has left")
    elif call.deadline <= now:
        error = Expired("deadline", "the call's time was over before the model ran")
    else:
        return
    call.record = call.record or Record()
    call.record.predict(model, call.size)
    refuse(call, error)


def refuse(call: Call, error: Exception) -> None:
    """End a call with an error."""
    note_refusal(error)
    call.refuse(error)


def note_refusal(error: Exception) -> None:
    """Count an error that ends a call, by its reason."""
    if isinstance(error, RequestError):
        metrics.REJECTED.labels(error.reason).inc()
    else:
        metrics.REJECTED.labels("internal").inc()


def _bytes_of_one(model: Model, request: Request) -> int:
    """Return the bytes of one image where that is all to know, else more than messages have."""
    if request.canonicalize or request.outputs or request.shape is not None:
        return sys.maxsize
    return model.n_pixels if request.is_bytes else FLOAT_BYTES * model.n_pixels
