"""What digits are tested with: changes of the digits themselves, and what lies around them."""

from exporter.study.distortions.changes import (
    DISTORTIONS,
    add_noise,
    rotate,
    scale,
    shift,
    squeeze,
    thicken,
    thin,
)
from exporter.study.distortions.surroundings import SURROUNDINGS

__all__ = [
    "DISTORTIONS",
    "SURROUNDINGS",
    "add_noise",
    "rotate",
    "scale",
    "shift",
    "squeeze",
    "thicken",
    "thin",
]
