"""What is on a picture."""

from pathlib import Path

import numpy as np
from PIL import Image


def has_colour(path: Path, colour: str) -> bool:
    """Whether any pixel is of a colour such as #56a8f5."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return bool((pixels == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(axis=2).any())
