"""Puts the predictions of parts together, each number copied once."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mlpserve.errors import InvalidResponse
from mlpserve.prediction import Canonicalization, Prediction
from mlpserve.timing import Timing

_Number = TypeVar("_Number", bound=np.generic)


class Collector:
    """Takes predictions one after the other, and gives one of all their images.

    Its tables have room for `n_images`, if that is known, and grow by halves beyond.
    """

    def __init__(self, n_images: int | None = None) -> None:
        self._n_wanted = n_images or 0
        self._first: Prediction | None = None
        self._tables: list[npt.NDArray[Any]] = []
        self._n_images = 0
        self._timing: Timing | None = None

    def add(self, prediction: Prediction) -> None:
        """Add the next prediction; raises InvalidResponse when it can't follow the others."""
        begin, self._n_images = self._n_images, self._n_images + len(prediction)
        rows = _tables(prediction)
        if self._first is None:
            self._first, self._tables, self._timing = prediction, rows, prediction.timing
            return
        if self._timing is not None:
            # Another server may be older, and a sum of some would mislead.
            self._timing = prediction.timing and self._timing + prediction.timing
        if _kind(prediction, rows) != _kind(self._first, self._tables):
            raise InvalidResponse(
                f"{prediction.model} {prediction.version} answers differently from before: was it "
                "replaced by another model of the same version?"
            )
        room = len(self._tables[0])
        if room < self._n_images:
            room = max(self._n_wanted, self._n_images, room + room // 2)
            self._tables = [_resized(table, room) for table in self._tables]
        for table, content in zip(self._tables, rows, strict=True):
            table[begin : self._n_images] = content

    def result(self) -> Prediction:
        """Return the prediction of all images, of which there must be some; to be called once."""
        first = self._first
        assert first is not None
        if len(self._tables[0]) > self._n_images:
            self._tables = [_resized(table, self._n_images) for table in self._tables]
        labels, activations, *rest = self._tables
        n_layers = len(first.hidden_layers)
        done = None if first.canonicalization is None else Canonicalization(*rest[n_layers:])
        return Prediction(
            labels,
            activations,
            first.label_names,
            first.model,
            first.version,
            tuple(rest[:n_layers]),
            done,
            self._timing,
        )


def _tables(prediction: Prediction) -> list[npt.NDArray[Any]]:
    """Return all that has a row for each image."""
    done = prediction.canonicalization
    return [
        prediction.labels,
        prediction.activations,
        *prediction.hidden_layers,
        *(() if done is None else (done.inverted, done.scales, done.shifts)),
        *(() if done is None or done.pixels is None else (done.pixels,)),
    ]


def _kind(prediction: Prediction, tables: list[npt.NDArray[Any]]) -> tuple[object, ...]:
    """Return what is the same for all parts."""
    shapes = [table.shape[1:] for table in tables]
    return prediction.model, prediction.version, prediction.label_names, shapes


def _resized(table: npt.NDArray[_Number], n_rows: int) -> npt.NDArray[_Number]:
    """Return the table with a different number of rows."""
    shape = (n_rows, *table.shape[1:])
    if table.flags.owndata:
        # Large memory is moved without a copy.
        table.resize(shape, refcheck=False)
        return table
    resized = np.empty(shape, table.dtype)
    resized[: len(table)] = table[:n_rows]
    return resized
