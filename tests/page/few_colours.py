"""Writes pictures in few colours, which is a third of the bytes."""

import io
from pathlib import Path

from PIL import Image


def save(png: bytes, path: Path, colours: int) -> None:
    """Write a picture that is PNG already."""
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
