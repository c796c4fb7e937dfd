"""What goes from the inputs to the server and on to the output: images, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlpserve.prediction import Prediction

Drawing = npt.NDArray[np.float32]
"""An image (rows, columns) of pixels in [0, 1], as a terminal shows it."""


class Name(NamedTuple):
    """What an image is called: its file, and its place in there if that holds an array."""

    file: str
    place: int | None = None

    def __str__(self) -> str:
        """Return the file's name, with the place if there is one, as digits.npy[3]."""
        return self.file if self.place is None else f"{self.file}[{self.place}]"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Images (n, pixels) for one call, as they are sent, with their names.

    `drawings` has one for each image, None where none is wanted; or is empty.
    """

    names: Sequence[Name]
    images: npt.NDArray[Any]
    drawings: Sequence[Drawing | None] = ()

    def halves(self) -> tuple["Part", "Part"]:
        """Return the first half and the second one."""
        n = len(self.names) // 2
        first, second = slice(0, n), slice(n, None)
        return self._take(first), self._take(second)

    def _take(self, some: slice) -> "Part":
        return Part(self.names[some], self.images[some], self.drawings[some])


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the server predicts of each of some images."""

    names: Sequence[Name]
    prediction: Prediction
    drawings: Sequence[Drawing | None] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Why some images have no answer.

    `was_told`: standard error has it already. `was_sent`: the server was asked about them.
    `is_theirs`: the reason lies in the images.
    """

    names: Sequence[Name]
    reason: str
    was_told: bool = False
    was_sent: bool = False
    is_theirs: bool = True

    @property
    def titles(self) -> Sequence[str]:
        """What the images are called on standard error: those of an array all in one."""
        first, last = self.names[0], self.names[-1]
        if first.place is None or first == last:
            return list(map(str, self.names))
        return [f"{first} to [{last.place}]"]


Outcome = Answer | Failure
