"""Draws one picture of each kind beside the image that the network gets of it."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from exporter.files import write_file

TILE, GAP, LABEL, COLUMNS = 84, 6, 14, 5
BACKGROUND, INK = (238, 238, 238), (30, 30, 30)
N_COLOURS = 48

Example = tuple[str, bytes, npt.NDArray[np.float32] | None]
"""A kind, the file of a picture of it, and the image made of that."""


def write_figure(path: Path, examples: Sequence[Example]) -> None:
    """Write the figure as a PNG of few bytes."""
    width, height = 2 * TILE + 3 * GAP, TILE + LABEL + GAP
    n_rows = -(-len(examples) // COLUMNS)
    figure = Image.new("RGB", (COLUMNS * width, n_rows * height + GAP), BACKGROUND)
    drawing = ImageDraw.Draw(figure)
    for number, (kind, file, image) in enumerate(examples):
        left, top = number % COLUMNS * width + GAP, number // COLUMNS * height + GAP
        drawing.text((left, top - 2), kind, fill=INK)
        figure.paste(thumbnail(file), (left, top + LABEL - 2))
        if image is not None:
            seen = Image.fromarray(np.rint(255 * image).astype(np.uint8))
            large = seen.resize((TILE, TILE), Image.Resampling.NEAREST)
            figure.paste(large, (left + TILE + GAP, top + LABEL - 2))
    content = io.BytesIO()
    figure.quantize(N_COLOURS).save(content, "PNG", optimize=True)
    write_file(path, content.getvalue())


def thumbnail(file: bytes) -> Image.Image:
    """Return a picture on a chequered ground, as wide or as high as a tile."""
    with Image.open(io.BytesIO(file)) as opened:
        picture: Image.Image = opened
        if picture.mode[0] in "IF" or picture.mode == "LAB":
            grey = picture.getchannel(0) if picture.mode == "LAB" else picture
            samples = np.asarray(grey, np.float64)
            picture = Image.fromarray((255 * samples / max(samples.max(), 1e-9)).astype(np.uint8))
        shown = picture.convert("RGBA")
    method = Image.Resampling.NEAREST if max(shown.size) < TILE else Image.Resampling.BOX
    scale = TILE / max(shown.size)
    shown = shown.resize((round(shown.width * scale), round(shown.height * scale)), method)
    squares = np.add.outer(np.arange(TILE) // 6, np.arange(TILE) // 6) % 2
    ground = Image.fromarray(np.where(squares, 200, 230).astype(np.uint8)).convert("RGBA")
    ground.alpha_composite(shown)
    return ground.crop((0, 0, *shown.size)).convert("RGB")
