"""Prints how many drawings of digits are read right, as drawn and in canonical mode."""

from pathlib import Path

import click
import numpy as np
from PIL import Image

from canonical import canonicalize
from exporter import network
from exporter.commands.common import WEIGHTS, clear_errors
from harness.drawings.hand import COUNT, SEED, draw_all
from harness.drawings.raster import pixels_of
from harness.drawings.sheet import make_sheet
from harness.load import print_table


@click.command()
@click.option("--drawings", default=COUNT, show_default=True, type=click.IntRange(min=10))
@click.option("--seed", default=SEED, show_default=True, help="Of the hand that draws.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Picture of all drawings, a PNG.")
@clear_errors()
def main(drawings: int, seed: int, sheet: Path | None) -> None:
    """Print the share of drawings that the shipped network reads right, by digit."""
    saved = network.load(WEIGHTS)
    drawn = draw_all(drawings, seed)
    pixels = pixels_of(drawn)
    digits = np.array([drawing.digit for drawing in drawn])
    canonical = canonicalize(pixels, saved.image_layout).batch
    plain, better = (
        saved.network.forward(batch)[-1].argmax(axis=1) == digits for batch in (pixels, canonical)
    )
    rows = [
        (
            str(digit),
            f"{plain[digits == digit].mean():.0%}",
            f"{better[digits == digit].mean():.0%}",
        )
        for digit in range(10)
    ]
    rows.append(
        (
            "all",
            f"{plain.mean():.1%} ({plain.sum()} of {len(drawn)})",
            f"{better.mean():.1%} ({better.sum()})",
        )
    )
    print_table(("digit", "as drawn", "canonical"), rows)
    if sheet is not None:
        Image.fromarray(make_sheet(pixels, digits, ~better)).save(sheet, optimize=True)


if __name__ == "__main__":
    main()
