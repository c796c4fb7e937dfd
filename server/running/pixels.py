"""The pixels of requests as they lie in messages: joined, checked, canonicalized."""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from canonical import Canonical, canonicalize
from modelfile.image_layout import ImageLayout
from modelfile.input_range import FINITE, PIXELS, InputRange
from server.errors import InvalidField
from server.models.model import Batch
from server.running.refusals import list_refused
from server.running.request import Request
from server.running.scales import explain_scale

MAX_BITS = np.float32(PIXELS.max_accepted).view(np.uint32)
"""The largest accepted pixel as bits: the floats from 0 to it are those whose bits, as an integer,
are at most these.
"""

FLOAT, MAX_BYTE = np.dtype("<f4"), 255

SLICE_IMAGES = 512
"""Large runs are split into slices of this many images, which bounds what a run takes beside its
messages; with smaller ones starting the model costs more than the cache saves.
"""

ALONE_IMAGES = 128
"""From this many images on, copying them into a slice with others costs more than another run."""

UNCOPIED_IMAGES = 8
"""From this many images on, copying them costs more than asking whether they are aligned."""

Images = npt.NDArray[np.uint8] | Batch

_pixels, _size = attrgetter("pixels"), attrgetter("size")


class Part(Protocol):
    """One request of a run: `size` images, whose pixels lie in its message."""

    request: Request
    pixels: memoryview
    size: int


def join(parts: Sequence[Part], requests: Collection[Request], n_pixels: int) -> Batch:
    """Return the batch (N, n_pixels) of all parts, which may be read-only.

    Floats are copied at most once: from the messages to where the model reads them.
    """
    are_bytes = {request.is_bytes for request in requests}
    if len(are_bytes) == 1:
        if len(parts) == 1 and (images := in_place(parts[0], UNCOPIED_IMAGES)) is not None:
            return images
        content = b"".join(map(_pixels, parts))
        if are_bytes == {False}:
            return np.frombuffer(content, FLOAT).reshape(-1, n_pixels)
        levels = np.frombuffer(content, np.uint8).reshape(-1, n_pixels)
        return np.divide(levels, np.float32(MAX_BYTE))
    batch = np.empty((sum(map(_size, parts)), n_pixels), np.float32)
    for part, end in zip(parts, accumulate(map(_size, parts)), strict=True):
        copy(images_of(part), batch[end - part.size : end])
    return batch


def is_sliced(parts: Sequence[Part], n_images: int) -> bool:
    """Whether this many images in all are too many for one batch, or cost less in several."""
    if n_images > SLICE_IMAGES:
        return True
    return (
        len(parts) > 1
        and n_images > ALONE_IMAGES
        and any(in_place(part, ALONE_IMAGES) is not None for part in parts)
    )


def in_place(part: Part, min_images: int) -> Batch | None:
    """Return a part's images in place, in its message, if the model can read them there: if there
    are at least `min_images` of them and their numbers are aligned.
    """
    if part.size < min_images or part.request.is_bytes:
        return None
    images: Batch = np.frombuffer(part.pixels, FLOAT).reshape(part.size, -1)
    return images if images.flags.aligned else None


def slices(parts: Sequence[Part], n_pixels: int) -> Iterator[Batch]:
    """Yield batches (N, n_pixels) of up to SLICE_IMAGES images, all of all parts in their order.

    Each is there until the next one, and may be read-only.
    """
    copied = np.empty((0, n_pixels), np.float32)
    filled = 0
    for part in parts:
        if (batch := in_place(part, ALONE_IMAGES)) is not None:
            if filled:
                yield copied[:filled]
                filled = 0
            for begin in range(0, part.size, SLICE_IMAGES):
                yield batch[begin : begin + SLICE_IMAGES]
            continue
        images, begin = images_of(part), 0
        if not len(copied):
            copied = np.empty((SLICE_IMAGES, n_pixels), np.float32)
        while begin < part.size:
            taken = images[begin : begin + SLICE_IMAGES - filled]
            copy(taken, copied[filled : filled + len(taken)])
            begin += len(taken)
            filled += len(taken)
            if filled == SLICE_IMAGES:
                yield copied
                filled = 0
    if filled:
        yield copied[:filled]


def images_of(part: Part) -> Images:
    """Return the images (N, pixels) as they lie in a message, not to be written to."""
    if part.request.is_bytes:
        return np.frombuffer(part.pixels, np.uint8).reshape(part.size, -1)
    return np.frombuffer(part.pixels, FLOAT).reshape(part.size, -1)


def copy(images: Images, batch: Batch) -> None:
    """Write images (N, pixels), bytes or numbers, into a batch of that shape."""
    if images.dtype == np.uint8:
        np.divide(images, np.float32(MAX_BYTE), out=batch)
    else:
        # As bytes: numbers in a message are rarely aligned, and those NumPy copies one by one.
        batch.view(np.uint8)[:] = images.view(np.uint8)


def are_valid(batch: Batch, input_range: InputRange) -> bool:
    """Whether all numbers are in a range but for rounding, in one pass where that is possible.

    Then finite ones whose sum overflows count as outside, and have to be checked again.
    """
    if input_range is PIXELS and np.maximum.reduce(np.frombuffer(batch, np.uint32)) <= MAX_BITS:
        return True
    if input_range is FINITE:
        # Infinity or NaN, once in a sum, stay in it.
        return math.isfinite(np.einsum("i->", batch.reshape(-1)))
    # In [0, 1] among others when there are negative numbers, which rounding makes, such as -0.0.
    return input_range.accepts(batch)


def ink_of(batch: Batch, are_pixels: bool) -> Batch:
    """Return the sum of each image's pixels, (N,), all of them in [0, 1] or not."""
    if are_pixels:
        return np.asarray(batch.dot(_ones(batch.shape[1])))
    # Its sums may be NaN, of which NumPy would warn.
    with np.errstate(all="ignore"):
        return np.asarray(batch.dot(_ones(batch.shape[1])))


@lru_cache
def _ones(n_pixels: int) -> Batch:
    return np.ones(n_pixels, np.float32)


def canonicalize_in_place(
    batch: Batch, layout: ImageLayout | None, input_range: InputRange = PIXELS
) -> Canonical:
    """Canonicalize the images (N, pixels) of a batch in a range; returns what was done to them,
    with the images in the same range.
    """
    low, width = input_range.low, input_range.high - input_range.low
    # Bad pixels are answered with an error, but must not trouble the arithmetic.
    np.nan_to_num(batch, copy=False, nan=low, posinf=low, neginf=low)
    if input_range is not PIXELS:
        batch -= low
        batch /= width
    canonical = canonicalize(np.clip(batch, 0, 1, out=batch), layout)
    seen = canonical.batch
    if input_range is not PIXELS:
        seen *= width
        seen += low
    batch[:] = seen
    return canonical


def find_bad_pixel(part: Part, input_range: InputRange) -> InvalidField | None:
    """Return an error about the first pixel of a part outside a range, if there is one."""
    request, batch = part.request, images_of(part)
    if request.is_bytes:
        return None
    # A NaN makes both comparisons false, an infinity one of them.
    is_bad = ~((batch >= input_range.min_accepted) & (batch <= input_range.max_accepted))
    image, pixel = divmod(int(is_bad.argmax()), batch.shape[1])
    if not is_bad[image, pixel]:
        return None
    value = float(batch[image, pixel])
    shown = f"{value:g}"
    if input_range.low <= float(shown) <= input_range.high:
        # The digits that matter come later.
        shown = str(batch[image, pixel])
    return InvalidField(
        "pixel_range" if math.isfinite(value) else "not_finite",
        f"{request.field}: image {image}, pixel {pixel} is {shown}; every pixel must be a "
        f"{input_range.describe('number')} ({explain_scale(batch, image, pixel, input_range)})",
        request.field,
        list_refused(np.logical_or.reduce(is_bad, axis=1)),
    )
