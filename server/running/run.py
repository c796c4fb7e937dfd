"""Runs a model once for calls that have met: join their batches, run, split the answers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from canonical import Canonical, canonicalize
from server.errors import InvalidField
from server.models.model import Batch, Model
from server.running.request import FLOAT_BYTES, LABELS_OF_ONE_BYTE, Answer, Labels, Request

ONE = np.uint32(0x3F800000)
"""1.0 as bits: the floats in [0, 1] are those whose bits, as an integer, are at most these."""

FLOAT = np.dtype("<f4")

Images = npt.NDArray[np.uint8] | Batch

_pixels, _request, _size = attrgetter("pixels"), attrgetter("request"), attrgetter("size")


class Part(Protocol):
    """One request of a run: `size` images, whose pixels lie in its message."""

    request: Request
    pixels: memoryview
    size: int


SLICE_IMAGES = 512
"""Images of a large run that go together from the message to the answer.

They then stay in the processor's cache, or near it: 1.6 MB with 784 pixels.
"""


@dataclass(slots=True, eq=False)
class Run:
    """What a model has said to all images of a run, in their parts' order.

    `layers` are the activations (N, neurons), the output layer's first, `labels` (N,) its brightest
    neurons, `ink` (N,) the sum of each image's pixels as the model has read them. `errors` and
    `put_right` have an entry for each part if any part needs one.
    """

    model: Model
    layers: list[Batch]
    labels: Labels
    ink: Batch
    errors: Sequence[InvalidField | None] = ()
    put_right: Sequence[Canonical | None] = ()


def run(model: Model, parts: Sequence[Part]) -> Run:
    """Run a model for several requests; a bad one leaves the others unhurt.

    The pixels are copied once: from the messages to where the model reads them.
    """
    requests = set(map(_request, parts))
    hidden = any(request.hidden_activations for request in requests)
    canonical = any(request.canonicalize for request in requests)
    put_right: Sequence[Canonical | None] = ()
    if sum(map(_size, parts)) > SLICE_IMAGES and not canonical:
        layers, ink, is_good = _run_slices(model, parts, hidden)
    else:
        batch = _join(parts, requests, model.n_pixels)
        is_good = _is_good(batch)
        if canonical:
            batch = batch.copy()
            put_right = [
                _put_right(batch[end - part.size : end]) if part.request.canonicalize else None
                for part, end in zip(parts, accumulate(map(_size, parts)), strict=True)
            ]
        layers, ink = model.predict(batch, hidden), _ink(batch)
    errors = () if is_good else [_find_bad_pixel(part) for part in parts]
    return Run(model, layers, layers[0].argmax(axis=1), ink, errors, put_right)


def _run_slices(
    model: Model, parts: Sequence[Part], hidden: bool
) -> tuple[list[Batch], Batch, bool]:
    """Return what a model says to a large run, its images' ink, and whether all pixels are good."""
    batch = np.empty((SLICE_IMAGES, model.n_pixels), np.float32)
    said, inks, is_good, filled = [], [], True, 0

    def finish(images: Batch) -> None:
        nonlocal is_good
        is_good = is_good and _is_good(images)
        inks.append(_ink(images))
        said.append(model.predict(images, hidden))

    for part in parts:
        images = _images(part)
        begin = 0
        while begin < part.size:
            taken = images[begin : begin + SLICE_IMAGES - filled]
            _copy(taken, batch[filled : filled + len(taken)])
            begin += len(taken)
            filled += len(taken)
            if filled == SLICE_IMAGES:
                finish(batch)
                filled = 0
    if filled:
        finish(batch[:filled])
    return (
        [np.concatenate(layer) for layer in zip(*said, strict=True)],
        np.concatenate(inks),
        is_good,
    )


def split(run: Run, sizes: Sequence[int]) -> Iterable[Answer]:
    """Return the answer for each part, by their sizes."""
    labels: Sequence[int]
    if len(run.model.labels) <= LABELS_OF_ONE_BYTE:
        labels = run.labels.astype(np.uint8).tobytes()
    else:
        labels = run.labels.tolist()
    rows = [(_bytes_of(layer), FLOAT_BYTES * layer.shape[1]) for layer in run.layers]
    begin = 0
    for index, size in enumerate(sizes):
        end = begin + size
        yield Answer(
            run.model,
            labels[begin:end],
            [activations[begin * width : end * width] for activations, width in rows],
            run.put_right[index] if run.put_right else None,
        )
        begin = end


def _join(parts: Sequence[Part], requests: Collection[Request], n_pixels: int) -> Batch:
    """Return the batch (N, n_pixels) of all parts, which may be read-only."""
    if not any(request.is_bytes for request in requests):
        content = b"".join(map(_pixels, parts))
        return np.frombuffer(content, FLOAT).reshape(-1, n_pixels)
    batch = np.empty((sum(map(_size, parts)), n_pixels), np.float32)
    for part, end in zip(parts, accumulate(map(_size, parts)), strict=True):
        _copy(_images(part), batch[end - part.size : end])
    return batch


def _images(part: Part) -> Images:
    """Return the images (N, pixels) as they lie in a message, not to be written to."""
    if part.request.is_bytes:
        return np.frombuffer(part.pixels, np.uint8).reshape(part.size, -1)
    return np.frombuffer(part.pixels, FLOAT).reshape(part.size, -1)


def _copy(images: Images, batch: Batch) -> None:
    """Write images (N, pixels), bytes or numbers, into a batch of that shape."""
    if images.dtype == np.uint8:
        np.divide(images, np.float32(255), out=batch)
    else:
        # As bytes: numbers in a message are rarely aligned, and those NumPy copies one by one.
        batch.view(np.uint8)[:] = images.view(np.uint8)


def _is_good(batch: Batch) -> bool:
    """Whether all pixels are in [0, 1], or at least look so: -0.0 looks as if not."""
    return bool(np.maximum.reduce(batch.view(np.uint32), axis=None) <= ONE)


def _ink(batch: Batch) -> Batch:
    ink: Batch = np.einsum("ij->i", batch)
    return ink


def _put_right(batch: Batch) -> Canonical:
    """Put the images of a batch right, in their place."""
    # Bad pixels are answered with an error, but must not trouble the arithmetic.
    np.nan_to_num(batch, copy=False, nan=0, posinf=0, neginf=0)
    done = canonicalize(np.clip(batch, 0, 1, out=batch))
    batch[:] = done.batch
    return done


def _bytes_of(values: Batch) -> memoryview:
    """Return an array's memory as bytes, little-endian like all that this runs on."""
    return values.reshape(-1).view(np.uint8).data


def _find_bad_pixel(part: Part) -> InvalidField | None:
    """Say which image and pixel of a part is the first outside [0, 1], if any is."""
    request = part.request
    if request.is_bytes:
        return None
    batch = _images(part)
    # A NaN makes both comparisons false, an infinity one of them.
    bad = np.argwhere(~((batch >= 0) & (batch <= 1)))
    if not len(bad):
        return None
    image, pixel = bad[0]
    value = float(batch[image, pixel])
    remedy = "divide by 255 or send them as bytes" if 1 < value <= 255 else "0 is black, 1 is white"
    return InvalidField(
        "pixel_range" if np.isfinite(value) else "not_finite",
        f"{request.field}: image {image}, pixel {pixel} is {value:g}; every pixel must be a number "
        f"in [0, 1] ({remedy})",
        request.field,
    )
