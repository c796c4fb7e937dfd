"""The colours of all drawings: those of the page's pictures, css/base.css in server/http/static."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BACKGROUND, TEXT, FAINT, LINE = "#0d1012", "#e9edf0", "#a4aeb7", "#2b3137"
BLACK, WHITE = "#000000", "#ffffff"


@dataclass(frozen=True, slots=True)
class Palette:
    """What is above 0 and what is below it: as CSS colours, and as words for the text beside."""

    positive: str
    negative: str
    positive_name: str
    negative_name: str

    def of(self, number: float) -> str:
        """Return the colour of a number's sign."""
        return self.positive if number > 0 else self.negative


SAFE = Palette("#56a8f5", "#f28c38", "blue", "orange")
"""Told apart by colour-blind readers as well."""

FILM = Palette("#5fd07f", "#ff6b61", "green", "red")
"""As in 3Blue1Brown's film."""

PALETTES = {"safe": SAFE, "film": FILM}


def to_rgb(colour: str) -> npt.NDArray[np.float32]:
    """Return red, green and blue in [0, 1] of a colour such as #56a8f5."""
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32) / np.float32(255)
