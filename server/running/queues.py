"""A queue for each model, within bounds: how much may wait, and which calls run next.

It knows nothing of models or threads, so that each of its states can be tested.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

OVERHEAD_BYTES = 1024
"""The memory of a waiting call, besides its message."""


class Request(Protocol):
    """What a call asks for."""

    @property
    def extra_seconds(self) -> float:
        """Roughly the time for each image besides the model's run."""
        ...


class Waiting(Protocol):
    """A call that waits, with `size` images; `held_bytes` are kept for it meanwhile."""

    size: int
    held_bytes: int

    @property
    def request(self) -> Request:
        """What it asks for."""
        ...


C = TypeVar("C", bound=Waiting)


@dataclass(slots=True, eq=False)
class Queue(Generic[C]):
    """The calls that wait for one model, and whether some thread runs it.

    `extra_seconds` is roughly what its `images` take together beside the model's run.
    """

    waiting: deque[C] = field(default_factory=deque)
    images: int = 0
    extra_seconds: float = 0.0
    bytes: int = 0
    running: bool = False


class Queues(Generic[C]):
    """The bounds of all queues; any thread may use them.

    A queue holds `max_images` at most, and no more bytes than all queues leave free of `max_bytes`:
    one model alone may have half of these, and leaves room for the first calls of every other.
    An empty queue takes a call of any size.
    """

    def __init__(self, max_batch_size: int, max_images: int, max_bytes: int) -> None:
        self.max_images, self.max_bytes = max_images, max_bytes
        self._max_batch_size = max_batch_size
        self._lock = threading.Lock()
        self._full: set[Queue[C]] = set()
        self.images = 0
        self.bytes = 0

    @property
    def full(self) -> int:
        """How many queues accept no further call, whatever it holds."""
        return len(self._full)

    def try_start(self, queue: Queue[C], images: int) -> bool:
        """Return whether the caller should run the model: nobody else does, and the batch fits."""
        with self._lock:
            starts = not queue.running and images <= self._max_batch_size
            queue.running = queue.running or starts
        return starts

    def enqueue(self, queue: Queue[C], calls: Sequence[C]) -> tuple[bool, list[C]]:
        """Let calls wait; returns whether the caller must run the model, and calls beyond the
        bounds.
        """
        refused = []
        with self._lock:
            for call in calls:
                held = call.held_bytes + OVERHEAD_BYTES
                if not self._fits(queue, call.size, held):
                    refused.append(call)
                    continue
                queue.waiting.append(call)
                queue.images += call.size
                queue.bytes += held
                queue.extra_seconds += call.size * call.request.extra_seconds
                self.images += call.size
                self.bytes += held
            self._note_full(queue)
            starts = not queue.running and bool(queue.waiting)
            queue.running = queue.running or starts
        return starts, refused

    def _fits(self, queue: Queue[C], images: int, held: int) -> bool:
        if not queue.waiting:
            return not self.bytes or self.bytes + held <= self.max_bytes
        return (
            queue.images + images <= self.max_images
            and queue.bytes + held <= self.max_bytes - self.bytes
        )

    def _note_full(self, queue: Queue[C]) -> None:
        is_full = queue.images >= self.max_images or (
            bool(queue.waiting) and queue.bytes + OVERHEAD_BYTES > self.max_bytes - self.bytes
        )
        (self._full.add if is_full else self._full.discard)(queue)

    def take(self, queue: Queue[C]) -> list[C]:
        """Return the calls of the next run, as many as fit a batch; if none, the model is idle."""
        taken: list[C] = []
        images = 0
        with self._lock:
            while queue.waiting and (
                not taken or images + queue.waiting[0].size <= self._max_batch_size
            ):
                call = queue.waiting.popleft()
                taken.append(call)
                images += call.size
                held = call.held_bytes + OVERHEAD_BYTES
                queue.bytes -= held
                self.bytes -= held
                queue.extra_seconds -= call.size * call.request.extra_seconds
            queue.images -= images
            self.images -= images
            self._note_full(queue)
            queue.running = bool(taken)
        return taken

    def finish(self, queue: Queue[C]) -> bool:
        """End a run; returns whether calls wait for another, which the caller must then start."""
        with self._lock:
            queue.running = bool(queue.waiting)
            return queue.running

    def reserve(self, held: int) -> bool:
        """Count the bytes of a message that waits to be read; returns whether it may."""
        with self._lock:
            fits = not self.bytes or self.bytes + held <= self.max_bytes // 2
            self.bytes += held if fits else 0
        return fits

    def release(self, held: int) -> None:
        """Stop counting the bytes of such a message."""
        with self._lock:
            self.bytes -= held
