"""Writes the answers of many calls with the same request, each for one image."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from server.models.model import Batch, Model
from server.running.request import Answer, Labels

Bytes = npt.NDArray[np.uint8]


def fill(blank: Bytes, parts: Iterable[tuple[int, Bytes]], n: int) -> list[bytes]:
    """Return copies of a blank (B,), each with its row (N, bytes) of `parts` at their places."""
    filled = np.empty((n, len(blank)), np.uint8)
    filled[:] = blank
    for place, rows in parts:
        filled[:, place : place + rows.shape[1]] = rows
    written, size = filled.tobytes(), len(blank)
    return [written[begin : begin + size] for begin in range(0, len(written), size)]


def bytes_of(values: npt.NDArray[np.float32]) -> Bytes:
    """Return the bytes of each row (N, 4 x columns) of little-endian numbers (N, columns)."""
    return np.ascontiguousarray(values).view(np.uint8)


def write_one_by_one(
    write: Callable[[Answer, bytes], bytes],
    model: Model,
    labels: Labels,
    layers: Sequence[Batch],
    identifiers: Sequence[bytes],
) -> list[bytes]:
    """Return each image's answer as `write` makes it; sizes may differ."""
    rows = [bytes_of(layer) for layer in layers]
    return [
        write(Answer(model, [label], [layer[place].data for layer in rows]), identifier)
        for place, (label, identifier) in enumerate(zip(labels.tolist(), identifiers, strict=True))
    ]
