"""Runs a model once for requests that have met: join their batches, run, split the answers."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from server.errors import InvalidField
from server.model import Batch, Model
from server.request import FLOAT_BYTES, Answer, Request

ONE = np.uint32(0x3F800000)
"""1.0 as bits: the floats in [0, 1] are those whose bits, as an integer, are at most these."""


def run(
    model: Model, requests: Sequence[Request], sizes: Sequence[int]
) -> list[Answer | InvalidField]:
    """Return what the model says to each request, or what is wrong with it.

    `sizes` are the requests' numbers of images. A bad request leaves the others unhurt. The pixels
    are copied once: from the messages into the batch that the model reads.
    """
    rows = [slice(start, end) for start, end in pairwise(accumulate(sizes, initial=0))]
    batch = np.empty((rows[-1].stop, model.n_pixels), np.float32)
    content = batch.reshape(-1).view(np.uint8).data
    row_bytes = FLOAT_BYTES * model.n_pixels
    for request, its in zip(requests, rows, strict=True):
        if request.is_bytes:
            levels = np.frombuffer(request.pixels, np.uint8).reshape(-1, model.n_pixels)
            np.divide(levels, np.float32(255), out=batch[its])
        else:
            content[its.start * row_bytes : its.stop * row_bytes] = request.pixels
    errors = (
        [_find_bad_pixel(batch[its], request) for request, its in zip(requests, rows, strict=True)]
        if batch.view(np.uint32).max() > ONE
        else [None] * len(rows)
    )
    layers = model.predict(batch, any(request.hidden_activations for request in requests))
    labels = layers[0].argmax(axis=1)
    return [
        error or Answer(model, labels[its], [layer[its] for layer in layers])
        for its, error in zip(rows, errors, strict=True)
    ]


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
