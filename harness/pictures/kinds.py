"""The kinds of pictures by name: what draws each from a digit, and a random number generator."""

import zlib
from collections.abc import Callable

import numpy as np

from harness.pictures import files, light, plain, things
from harness.pictures.digits import Mask, Random

Draw = Callable[[Mask, Random], bytes]
"""Returns a picture file of a digit (28, 28) in [0, 1], light on black."""

KINDS: dict[str, Draw] = {**plain.KINDS, **light.KINDS, **things.KINDS, **files.KINDS}


def draw(kind: str, digit: Mask, number: int) -> bytes:
    """Return the file of a picture of a kind; `number` seeds whatever chance decides."""
    return KINDS[kind](digit, np.random.default_rng([zlib.crc32(kind.encode()), number]))
