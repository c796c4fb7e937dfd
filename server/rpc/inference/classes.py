"""The protocol's classification extension: the largest values of each image as texts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from server.models.model import Batch
from server.running.request import CHARACTER_BYTES, encodable

MAX_VALUE_CHARACTERS = 16
"""A float32 in the fewest digits that give it back, such as -1.1754944e-38."""

MAX_INDEX_CHARACTERS = 10

_MAGNITUDE, _INDEX_BITS = np.int32(0x7FFFFFFF), 32


def rank(rows: Batch, count: int, labels: Sequence[str]) -> list[bytes]:
    """Return the `count` largest values of each row (N, classes), the largest first, as texts.

    Each is VALUE:INDEX:LABEL, or VALUE:INDEX without `labels`; of equal values the first in the row
    comes first.
    """
    order = _largest(rows, min(count, rows.shape[1]))
    texts = np.take_along_axis(rows, order, axis=1).astype(str).ravel().tolist()
    indices = order.ravel().tolist()
    if not labels:
        return [f"{text}:{index}".encode() for text, index in zip(texts, indices, strict=True)]
    return [
        encodable(f"{text}:{index}:{labels[index]}").encode()
        for text, index in zip(texts, indices, strict=True)
    ]


def _largest(rows: Batch, count: int) -> npt.NDArray[np.int64]:
    """Return the places of the largest values in each row, (N, count)."""
    n = rows.shape[1]
    # Adding zero makes -0 equal to 0. Floats are then in the order of their bits as integers, once
    # the negative ones are mirrored, and the place in the low bits makes each number unique.
    bits = (rows + np.float32(0)).view(np.int32)
    ordered = (bits ^ (bits >> 31 & _MAGNITUDE)).astype(np.int64) << _INDEX_BITS
    ordered |= np.arange(n - 1, -1, -1)
    if count < n:
        # All rows are looked at once, however many values are wanted of few.
        ordered = np.partition(ordered, n - count, axis=1)[:, n - count :]
    ordered.sort(axis=1)
    places: npt.NDArray[np.int64] = n - 1 - (ordered[:, ::-1] & (1 << _INDEX_BITS) - 1)
    return places


def max_text_bytes(labels: Sequence[str]) -> int:
    """Return how many bytes one of the texts has at most."""
    longest = max(map(len, labels), default=0)
    return MAX_VALUE_CHARACTERS + MAX_INDEX_CHARACTERS + 2 + CHARACTER_BYTES * longest
