"""Answers for NumPy: a table of labels and activations, whose file grows row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpserve.command.predict.rows import Answer, Failure

NO_LABEL = -1
"""The label of an image that has no answer; its activations are NaN."""

_MAGIC = np.lib.format.MAGIC_PREFIX + b"\x01\x00"
_ALIGNED = 64
_MAX_ROWS = 10**18


@dataclass(frozen=True, slots=True)
class NpyOutput:
    """A row for each image: its label, and the activations (C,) of C classes.

    The file is an .npy file of an array (N,) with the fields `label` and `activations`. N stands in
    its header, which is written anew when N is known.
    """

    label_names: Sequence[str]

    def header(self, n_rows: int = 0) -> bytes:
        """Return the header of so many rows; its length is the same for any number of them."""
        start = len(_MAGIC) + 2
        length = start + len(self._describe(_MAX_ROWS)) + 1
        length += -length % _ALIGNED
        text = self._describe(n_rows).ljust(length - start - 1) + b"\n"
        return _MAGIC + len(text).to_bytes(2, "little") + text

    def count(self, n_bytes: int) -> int:
        """Return how many rows a file of so many bytes holds."""
        return max(0, n_bytes - len(self.header())) // self._dtype.itemsize

    def answer(self, answer: Answer) -> bytes:
        """Return the rows of an answer."""
        rows = self._make(len(answer.names))
        rows["label"] = answer.prediction.labels
        rows["activations"] = answer.prediction.activations
        return rows.tobytes()

    def fail(self, failure: Failure) -> bytes:
        """Return the rows of images that have no answer."""
        rows = self._make(len(failure.names))
        rows["label"], rows["activations"] = NO_LABEL, np.nan
        return rows.tobytes()

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype([("label", "<i4"), ("activations", "<f4", (len(self.label_names),))])

    def _make(self, n_rows: int) -> npt.NDArray[Any]:
        return np.empty(n_rows, self._dtype)

    def _describe(self, n_rows: int) -> bytes:
        described = {"descr": self._dtype.descr, "fortran_order": False, "shape": (n_rows,)}
        return repr(described).encode("ascii")
