"""What a file says of the array in it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

GZIP_MAGIC = b"\x1f\x8b"


class ArrayError(ValueError):
    """A file holds no array of images, or is damaged; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """The shape and type of a file's array; its values begin at byte `start`.

    `is_fortran`: the first index varies fastest. `is_gzipped`: `start` counts unpacked bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    is_fortran: bool = False
    is_gzipped: bool = False

    @property
    def n_bytes(self) -> int:
        """The bytes that the values have."""
        return math.prod(self.shape) * self.dtype.itemsize

    def check_size(self, n_bytes: int) -> None:
        """Raise ArrayError when the values of a file have a different number of bytes."""
        if n_bytes == self.n_bytes:
            return
        what, found = "is truncated", f"{n_bytes:,} follow"
        if n_bytes > self.n_bytes:
            what, found = "is longer than its header says", "more follow"
        raise ArrayError(
            f"{what}: {describe(self.shape)} values of {self.dtype} are {self.n_bytes:,} bytes, "
            f"and {found}; write or fetch it again"
        )


def describe(shape: tuple[int, ...]) -> str:
    """Return a shape as people write it."""
    return " x ".join(map(str, shape)) or "0"
