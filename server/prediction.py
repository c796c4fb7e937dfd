"""Runs a model once for calls that have met: join their batches, run, split the answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Protocol

import numpy as np

from canonical import Canonical, canonicalize
from server.errors import InvalidField
from server.model import Batch, Model
from server.request import FLOAT_BYTES, Answer, Labels, Request

ONE = np.uint32(0x3F800000)
"""1.0 as bits: the floats in [0, 1] are those whose bits, as an integer, are at most these."""

FLOAT = np.dtype("<f4")

_pixels, _request, _size = attrgetter("pixels"), attrgetter("request"), attrgetter("size")


class Part(Protocol):
    """One request of a run: `size` images, whose pixels lie in its message."""

    request: Request
    pixels: memoryview
    size: int


@dataclass(slots=True, eq=False)
class Run:
    """What a model has said to all images of a run, in their parts' order.

    `batch` (N, pixels) is what the model has read, `layers` are the activations (N, neurons), the
    output layer's first, `labels` (N,) its brightest neurons. `errors` and `put_right` have an
    entry for each part if any part needs one.
    """

    model: Model
    batch: Batch
    layers: list[Batch]
    labels: Labels
    errors: Sequence[InvalidField | None] = ()
    put_right: Sequence[Canonical | None] = ()


def run(model: Model, parts: Sequence[Part]) -> Run:
    """Run a model for several requests; a bad one leaves the others unhurt.

    The pixels are copied once: from the messages into the batch that the model reads.
    """
    requests = set(map(_request, parts))
    are_bytes = any(request.is_bytes for request in requests)
    batch = _join(parts, are_bytes, model.n_pixels)
    errors: Sequence[InvalidField | None] = ()
    # Bytes can't be out of range.
    has_floats = not are_bytes or not all(request.is_bytes for request in requests)
    if has_floats and np.maximum.reduce(batch.view(np.uint32), axis=None) > ONE:
        errors = [_find_bad_pixel(rows, part.request) for part, rows in _rows(parts, batch)]
    put_right: Sequence[Canonical | None] = ()
    if any(request.canonicalize for request in requests):
        batch = batch.copy()
        put_right = [
            _put_right(rows) if part.request.canonicalize else None
            for part, rows in _rows(parts, batch)
        ]
    hidden = any(request.hidden_activations for request in requests)
    layers = model.predict(batch, hidden)
    return Run(model, batch, layers, layers[0].argmax(axis=1), errors, put_right)


def split(run: Run, sizes: Sequence[int]) -> Iterable[Answer]:
    """Return the answer for each part, by their sizes."""
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


def _rows(parts: Sequence[Part], batch: Batch) -> Iterable[tuple[Part, Batch]]:
    """Return each part with its rows of the batch."""
    ends = list(accumulate(map(_size, parts)))
    for part, end in zip(parts, ends, strict=True):
        yield part, batch[end - part.size : end]


def _join(parts: Sequence[Part], are_bytes: bool, n_pixels: int) -> Batch:
    """Return the batch (N, n_pixels) of all parts, which may be read-only."""
    if not are_bytes:
        content = b"".join(map(_pixels, parts))
        return np.frombuffer(content, FLOAT).reshape(-1, n_pixels)
    batch = np.empty((sum(map(_size, parts)), n_pixels), np.float32)
    for part, rows in _rows(parts, batch):
        if part.request.is_bytes:
            np.divide(
                np.frombuffer(part.pixels, np.uint8).reshape(rows.shape), np.float32(255), out=rows
            )
        else:
            rows[:] = np.frombuffer(part.pixels, FLOAT).reshape(rows.shape)
    return batch


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


def _find_bad_pixel(batch: Batch, request: Request) -> InvalidField | None:
    """Say which image and pixel is the first outside [0, 1], if any is."""
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
