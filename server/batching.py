"""Joins calls that wait for the same model into one run, and gives each its own answer.

A fast run happens at once, on the thread that brings the calls: handing it over would cost more
than it takes. A slow one goes to a thread of its own, so that new calls are still read, and what
arrives meanwhile is the next run.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from server import metrics, prediction
from server.errors import (
    Cancelled,
    Expired,
    InvalidField,
    NotReady,
    Overloaded,
    RequestError,
    TooLarge,
)
from server.model import Model
from server.repository import Models
from server.request import Request
from server.shadowing import Answered, Shadow

log = structlog.get_logger()

FAST_SECONDS = 0.001
"""A run that takes no longer is done at once."""

CANONICALIZE_SECONDS = 15e-6
"""What it takes to put an image right, about."""

RUNNERS = 4
"""Threads for slow runs; a model uses one at a time."""


class Call(Protocol):
    """A call that waits for its answer; it gets exactly one, from any thread."""

    message: bytes
    deadline: float
    """When its caller stops waiting, as time.time() counts; ages away for never."""
    cancelled: bool

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value."""
        ...

    def read(self) -> Request:
        """Return what the message asks for; raises InvalidField."""
        ...

    def answer(self, response: bytes) -> None:
        """End the call with a serialized response."""
        ...

    def refuse(self, error: Exception) -> None:
        """End the call with the error's status."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """A call whose request has been read: `size` images for a model."""

    call: Call
    request: Request
    size: int


@dataclass(slots=True, eq=False)
class Line:
    """What waits for one model, and whether some thread is running it."""

    waiting: deque[Job] = field(default_factory=deque)
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

    def refusal(self) -> Overloaded | None:
        """Return why no call can be taken now, whatever it holds; None when one can."""
        return self._full if self._queued_images >= self._max_queued_images else None

    def take(self, calls: Iterable[Call]) -> None:
        """Answer calls that have arrived together; those of a slow run are answered later."""
        arrived: dict[Model, list[Job]] = {}
        for call in calls:
            if found := self._read(call):
                model, job = found
                arrived.setdefault(model, []).append(job)
        for model, jobs in arrived.items():
            line = self._queue(model, jobs)
            if line is None:
                continue
            seconds = model.expected_seconds(line.images)
            if seconds + CANONICALIZE_SECONDS * line.to_put_right <= FAST_SECONDS:
                self._run_line(model, line)
            else:
                self._runners.submit(self._run_line, model, line)

    def answer_alone(self, call: Call) -> None:
        """Answer one call on this thread, joined with no other."""
        if found := self._read(call):
            model, job = found
            if not self._drop(job, time.time()):
                self._run(model, [job])

    def _read(self, call: Call) -> tuple[Model, Job] | None:
        """Return the call's model and job; None when it was refused."""
        try:
            if self.models is None:
                raise NotReady(
                    "not_ready", "the server is still loading its models; try again shortly"
                )
            size = len(call.message)
            if size > self._max_message_bytes:
                raise TooLarge(
                    "message_bytes",
                    f"the message has {size} bytes, larger than max_message_bytes, "
                    f"{self._max_message_bytes}; send fewer images in one call, or as bytes, which "
                    "are a quarter of the floats, or raise the server's --max-message-bytes",
                )
            request = call.read()
            model = self.models.find(request.model, request.version, request.label, call)
            return model, Job(call, request, request.count_images(model, self._max_batch_size))
        except RequestError as error:
            refuse(call, error)
        except Exception as error:
            log.exception("call failed")
            refuse(call, error)
        return None

    def _queue(self, model: Model, jobs: Sequence[Job]) -> Line | None:
        """Let jobs wait for their model; returns its line when nobody runs it, who then must."""
        refused = []
        with self._lock:
            line = self._lines.get(model)
            if line is None:
                line = self._lines[model] = Line()
            for job in jobs:
                # What nothing waits for is taken however large it is.
                if 0 < self._queued_images > self._max_queued_images - job.size:
                    refused.append(job)
                    continue
                line.waiting.append(job)
                line.images += job.size
                line.to_put_right += job.size * job.request.canonicalize
                self._queued_images += job.size
            mine = not line.running and bool(line.waiting)
            line.running = line.running or mine
        for job in refused:
            refuse(job.call, self._full)
        return line if mine else None

    def _run_line(self, model: Model, line: Line) -> None:
        """Run the model until nothing waits for it."""
        while jobs := self._next(line):
            self._run(model, jobs)

    def _next(self, line: Line) -> list[Job]:
        """Return the jobs of the next run; none ends the running."""
        now = time.time()
        while True:
            taken: list[Job] = []
            with self._lock:
                images = 0
                while line.waiting and (
                    not taken or images + line.waiting[0].size <= self._max_batch_size
                ):
                    taken.append(line.waiting.popleft())
                    images += taken[-1].size
                line.images -= images
                line.to_put_right -= sum(job.size * job.request.canonicalize for job in taken)
                self._queued_images -= images
                line.running = bool(taken)
            jobs = [job for job in taken if not self._drop(job, now)]
            if jobs or not taken:
                return jobs

    def _drop(self, job: Job, now: float) -> bool:
        """Refuse a job that nobody waits for any more; returns whether it was one."""
        if job.call.cancelled:
            refuse(job.call, Cancelled("cancelled", "the caller has left"))
        elif job.call.deadline <= now:
            refuse(job.call, Expired("deadline", "the call's time was over before the model ran"))
        else:
            return False
        return True

    def _run(self, model: Model, jobs: Sequence[Job]) -> None:
        """Run the model once and give each job its answer."""
        try:
            answers = prediction.run(
                model, [job.request for job in jobs], [job.size for job in jobs]
            )
        except Exception as error:
            log.exception("run failed", model=model.name, version=model.version)
            for job in jobs:
                refuse(job.call, error)
            return
        version = str(model.version)
        metrics.RUN_CALLS.labels(model.name, version).observe(len(jobs))
        metrics.RUN_IMAGES.labels(model.name, version).observe(sum(job.size for job in jobs))
        images = 0
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, InvalidField):
                refuse(job.call, answer)
            else:
                images += job.size
                job.call.answer(job.request.write(answer))
        metrics.IMAGES.labels(model.name, version).inc(images)
        models = self.models
        if models is not None and models.are_shadowed:
            for job, answer in zip(jobs, answers, strict=True):
                if not isinstance(answer, InvalidField):
                    answered = Answered(model, job.request, job.size, answer.labels)
                    self._shadow.offer(models, answered)


def refuse(call: Call, error: Exception) -> None:
    """End a call with an error."""
    note_refusal(error)
    call.refuse(error)


def note_refusal(error: Exception) -> None:
    """Count an error that ends a call, by its reason."""
    if isinstance(error, RequestError):
        metrics.REJECTED.labels(error.reason).inc()
        log.debug("request rejected", reason=error.reason, message=error.message)
    else:
        metrics.REJECTED.labels("internal").inc()
