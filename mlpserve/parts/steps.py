"""Decides what is sent when, waited for and tried again; whoever drives it does so.

The steps are the same for threads and for asyncio, and can be tested without either.
"""

import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from mlpserve.errors import (
    InvalidRequest,
    MlpserveError,
    Overloaded,
    TooLarge,
    late,
    placed,
)
from mlpserve.images import doubt_scale, warn_of
from mlpserve.parts.cutting import LIMITS, Cutter, Limits, Part
from mlpserve.parts.window import Window
from mlpserve.prediction import Prediction
from mlpserve.protocol.predict import encode_head, encode_request

_MIN_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.05, 2.0


class Call(Protocol):
    """A call in flight."""

    def done(self) -> bool:
        """Return whether it has ended."""
        ...

    def cancel(self) -> bool:
        """End it."""
        ...


@dataclass(frozen=True, slots=True)
class Pull:
    """Get the next array of images, or `END`."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Get what answers a call: a Prediction, or the MlpserveError that it ended with."""

    call: Any


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for some time."""

    seconds: float


END = object()
"""There are no more images."""

Step: TypeAlias = Pull | Wait | Pause | Prediction
"""The next step; a Prediction is for the caller, and gets no reply."""

Steps: TypeAlias = Generator[Step, Any, None]

Send: TypeAlias = Callable[[bytes, float], Call]
"""Begins a call with a request and the seconds that it may take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each part; see `mlpserve.Client.predict`."""

    model: str = ""
    version: int = 0
    label: str = ""
    hidden_activations: bool = False
    canonicalize: bool = False
    canonical_pixels: bool = False

    def head(self) -> bytes:
        """Return the first part's request without its pixels."""
        return self._head(self.model, self.version, self.label)

    def head_after(self, first: Prediction) -> bytes:
        """Return that of the others, which the model that answered the first is to answer."""
        return self._head(first.model, first.version, "")

    def _head(self, model: str, version: int, label: str) -> bytes:
        return encode_head(
            model,
            version,
            label,
            self.hidden_activations,
            self.canonicalize,
            self.canonical_pixels,
        )


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long each call may take, and when all have to be over by the clock, if ever."""

    of_call: float
    clock: Callable[[], float]
    end: float | None = None

    def deadline(self) -> float:
        """Return when a call that begins now has to be over."""
        return self.clock() + self.of_call if self.end is None else self.end


def predict_steps(
    cutter: Cutter, asked: Asked, send: Send, seconds: Seconds, limits: Limits = LIMITS
) -> Steps:
    """Yield the steps that have a server answer all parts, with the predictions in their order.

    The first part is answered before the others are sent, so that these go to the same version of
    the model, and are of a size that the server takes. When the generator is closed or raises, the
    calls in flight are cancelled.
    """
    run = _Run(cutter, send, seconds, Window(limits.parts_ahead, limits.bytes_ahead))
    try:
        first = yield from run.predict_first(asked)
        yield first
        yield from run.predict_others(asked.head_after(first), len(first))
    finally:
        for sent in run.sent:
            sent.call.cancel()


@dataclass(slots=True)
class _Sent:
    """A part in flight; of the first `n_images` is a guess."""

    request: bytes
    n_images: int
    place: str
    deadline: float
    call: Call


@dataclass(slots=True)
class _Run:
    """Sends parts and waits for the oldest of those in flight."""

    cutter: Cutter
    send: Send
    seconds: Seconds
    window: Window
    sent: deque[_Sent] = field(default_factory=deque)

    def predict_first(self, asked: Asked) -> Generator[Step, Any, Prediction]:
        """Have the first part answered, in the largest size that the server takes."""
        cutter = self.cutter
        while True:
            part = yield from self._next_part()
            if part is None:
                raise ValueError("images is empty; send one or more")
            place = _place(0, part.n_images) if part.is_counted else "the first images"
            self._begin(part, asked.head(), part.n_images, place)
            outcome = yield from self._outcome()
            if isinstance(outcome, MlpserveError):
                if not _may_fit_otherwise(cutter, part, outcome):
                    raise placed(outcome, place)
                continue
            cutter.image_pixels = part.pixels.size // len(outcome)
            try:
                _check_count(cutter.count(part), outcome)
            except InvalidRequest:
                cutter.image_pixels = 0
                if not cutter.make_one_image(part):
                    raise
                continue
            doubt = doubt_scale(part.pixels.reshape(len(outcome), -1))
            if doubt is not None:
                warn_of(doubt)
            return outcome

    def predict_others(self, head: bytes, n_images: int) -> Steps:
        """Have the parts after the first `n_images` answered, several at once."""
        is_end = False
        while self.sent or not is_end:
            oldest = self.sent[0] if self.sent else None
            if oldest is not None and (is_end or not self.window.has_room or oldest.call.done()):
                outcome = yield from self._outcome()
                if isinstance(outcome, MlpserveError):
                    raise placed(outcome, oldest.place)
                _check_count(oldest.n_images, outcome)
                yield outcome
            elif (part := (yield from self._next_part())) is None:
                is_end = True
            else:
                count = self.cutter.count(part)
                self._begin(part, head, count, _place(n_images, count))
                n_images += count

    def _next_part(self) -> Generator[Step, Any, Part | None]:
        """Return the next part, None if there is no more."""
        while (part := self.cutter.next_part()) is None:
            images = yield Pull()
            if images is END:
                return self.cutter.next_part(is_end=True)
            self.cutter.add(images)
        return part

    def _begin(self, part: Part, head: bytes, n_images: int, place: str) -> None:
        deadline = self.seconds.deadline()
        request = encode_request(head, part.pixels)
        call = self._call(request, deadline, place)
        self.sent.append(_Sent(request, n_images, place, deadline, call))
        self.window.send(part.n_bytes)

    def _outcome(self) -> Generator[Step, Any, Prediction | MlpserveError]:
        """Return what the oldest call brings; while the server is overloaded, it is made again."""
        oldest = self.sent[0]
        pause = _MIN_PAUSE_SECONDS
        while True:
            outcome: Prediction | MlpserveError = yield Wait(oldest.call)
            # Callers that were refused together don't come back together.
            wanted = pause * random.uniform(1.0, 1.5)  # noqa: S311
            if isinstance(outcome, Overloaded):
                wanted += outcome.retry_after_seconds or 0.0
            left = oldest.deadline - self.seconds.clock()
            if not isinstance(outcome, Overloaded) or wanted >= left:
                self.sent.popleft()
                self.window.answer()
                return outcome
            yield Pause(wanted)
            oldest.call = self._call(oldest.request, oldest.deadline, oldest.place)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _call(self, request: bytes, deadline: float, place: str) -> Call:
        remaining = deadline - self.seconds.clock()
        if remaining <= 0:
            raise late(f"{place}: the timeout passed before they were sent")
        return self.send(request, remaining)


def _may_fit_otherwise(cutter: Cutter, part: Part, error: MlpserveError) -> bool:
    """Return whether what the server refuses of the first part may be right in another size, and
    take it back if it may.
    """
    if not isinstance(error, InvalidRequest):
        return False
    reasons = {violation.reason for violation in error.violations}
    if isinstance(error, TooLarge) or "BATCH_SIZE" in reasons:
        return cutter.halve(part)
    return "PIXEL_COUNT" in reasons and cutter.make_one_image(part)


def _check_count(n_images: int, prediction: Prediction) -> None:
    if n_images != len(prediction):
        raise InvalidRequest(
            f"of {n_images} images {prediction.model} {prediction.version} found {len(prediction)}"
        )


def _place(begin: int, n_images: int) -> str:
    """Return which images a part holds, and what the server's own words call them."""
    if not begin:
        return f"images 0 to {n_images - 1}"
    last = n_images - 1
    return f"images {begin} to {begin + last}, which are images 0 to {last} of their part"
