"""Prints what it costs to normalise images: a large batch on one core, and one image alone."""

import statistics
import time

import click
import numpy as np

from canonical import canonicalize
from canonical.squares import Batch

SIDE = 28


def draw_strokes(n_images: int) -> Batch:
    """Return images (n_images, 784) of three thick strokes each, about as much ink as digits."""
    random = np.random.default_rng(0)
    images = np.zeros((n_images, SIDE, SIDE), np.float32)
    for image in images:
        for row, column, length in random.integers(6, 16, (3, 3)):
            image[row : row + length // 2, column : column + 3] = 1
            image[row : row + 3, column : column + length // 2] = 0.8
    return images.reshape(n_images, -1)


def measure(batch: Batch, repeats: int) -> float:
    """Return the microseconds of processor time that an image takes, over `repeats` calls."""
    begin = time.process_time()
    for _ in range(repeats):
        canonicalize(batch)
    return (time.process_time() - begin) / (repeats * len(batch)) * 1e6


@click.command()
@click.option("--runs", default=15, show_default=True, type=click.IntRange(min=1), help="Runs.")
@click.option(
    "--images", default=1000, show_default=True, type=click.IntRange(min=1), help="Batch size."
)
def main(runs: int, images: int) -> None:
    """Print the processor time of canonical mode, per image, in one thread."""
    batch = draw_strokes(images)
    for part, repeats in ((batch, 5), (batch[:1], 500)):
        measure(part, 1)
        costs = sorted(measure(part, repeats) for _ in range(runs))
        click.echo(
            f"{statistics.median(costs):6.1f} us an image in a batch of {len(part):,} "
            f"(median of {runs}; {costs[0]:.1f} to {costs[-1]:.1f})"
        )


if __name__ == "__main__":
    main()
