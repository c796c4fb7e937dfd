"""Runs a model once for requests that have met: join their batches, run, split the answers."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from operator import attrgetter

import numpy as np

from canonical import Canonical, canonicalize
from server.errors import InvalidField
from server.model import Batch, Model
from server.request import FLOAT_BYTES, Answer, Request

ONE = np.uint32(0x3F800000)
"""1.0 as bits: the floats in [0, 1] are those whose bits, as an integer, are at most these."""


FLOAT = np.dtype("<f4")

_pixels, _is_bytes = attrgetter("pixels"), attrgetter("is_bytes")
_canonicalize, _hidden_activations = attrgetter("canonicalize"), attrgetter("hidden_activations")


def run(
    model: Model, requests: Sequence[Request], sizes: Sequence[int]
) -> list[Answer | InvalidField]:
    """Return what the model says to each request, or what is wrong with it.

    `sizes` are the requests' numbers of images. A bad request leaves the others unhurt. The pixels
    are copied once: from the messages into the batch that the model reads.
    """
    ends = list(accumulate(sizes))
    starts = [0, *ends[:-1]]
    batch = _join(requests, starts, ends, model.n_pixels)
    errors: Iterable[InvalidField | None] = repeat(None)
    if batch.view(np.uint32).max() > ONE:
        errors = [
            _find_bad_pixel(batch[start:end], request)
            for request, start, end in zip(requests, starts, ends, strict=True)
        ]
    put_right: Iterable[Canonical | None] = repeat(None)
    if any(map(_canonicalize, requests)):
        batch = batch.copy()
        put_right = [
            _put_right(batch[start:end]) if request.canonicalize else None
            for request, start, end in zip(requests, starts, ends, strict=True)
        ]
    layers = model.predict(batch, any(map(_hidden_activations, requests)))
    labels = layers[0].argmax(axis=1).tolist()
    rows = [(_bytes_of(layer), FLOAT_BYTES * layer.shape[1]) for layer in layers]
    return [
        error
        or Answer(
            model,
            labels[start:end],
            [activations[start * width : end * width] for activations, width in rows],
            done,
        )
        for start, end, error, done in zip(starts, ends, errors, put_right, strict=False)
    ]


def _join(
    requests: Sequence[Request], starts: Sequence[int], ends: Sequence[int], n_pixels: int
) -> Batch:
    """Return the batch (N, n_pixels) of all requests, which may be read-only."""
    if not any(map(_is_bytes, requests)):
        content = b"".join(map(_pixels, requests))
        return np.frombuffer(content, FLOAT).reshape(-1, n_pixels)
    batch = np.empty((ends[-1], n_pixels), np.float32)
    for request, start, end in zip(requests, starts, ends, strict=True):
        kind = np.uint8 if request.is_bytes else FLOAT
        values = np.frombuffer(request.pixels, kind).reshape(-1, n_pixels)
        if request.is_bytes:
            np.divide(values, np.float32(255), out=batch[start:end])
        else:
            batch[start:end] = values
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
