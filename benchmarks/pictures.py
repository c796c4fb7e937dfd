"""Prints how many pictures of each kind are read right, of digits that are read right as arrays."""

import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from benchmarks.picture_figure import Example, write_figure
from canonical import canonicalize
from exporter.commands.common import PATH, WEIGHTS, clear_errors
from exporter.network import weights_file
from exporter.network.network import Batch, Network
from exporter.network.weights_file import Saved
from exporter.training import mnist
from exporter.training.mnist import Labels, Split
from harness.load import print_table
from harness.pictures.kinds import KINDS, draw
from mlpserve.models import ImageLayout
from mlpserve.pictures import PictureError, read_picture

DATA = Path("tests/data")


@dataclass(frozen=True, slots=True)
class Score:
    """Of one kind: the shares that are read right, without and with canonical mode, how many were
    refused, and the median seconds that it took to read one.
    """

    kind: str
    plain: float
    canonical: float
    refused: int
    seconds: float


def choose(shipped: Network, images: Batch, labels: Labels, n_images: int) -> tuple[Batch, Labels]:
    """Return the first images that the network reads right."""
    right = np.flatnonzero(shipped.forward(images)[-1].argmax(axis=1) == labels)[:n_images]
    return images[right], labels[right]


def read(file: bytes, layout: ImageLayout) -> npt.NDArray[np.float32] | None:
    """Return a picture as the client sends it, in bytes; None when it is refused."""
    try:
        image = read_picture(io.BytesIO(file), (layout.rows, layout.columns), layout)
    except PictureError:
        return None
    return np.rint(255 * image).astype(np.float32) / np.float32(255)


def score(kind: str, shipped: Saved, images: Batch, labels: Labels) -> tuple[Score, list[int]]:
    """Draw and read a picture of each image; also return the numbers of those read wrong."""
    layout = layout_of(shipped)
    batch = np.zeros_like(images)
    refused, seconds = [], []
    for number, digit in enumerate(images.reshape(-1, layout.rows, layout.columns)):
        file = draw(kind, digit, number)
        begin = time.perf_counter()
        image = read(file, layout)
        seconds.append(time.perf_counter() - begin)
        if image is None:
            refused.append(number)
        else:
            batch[number] = image.reshape(-1)
    plain, canonical = (
        shipped.network.forward(given)[-1].argmax(axis=1) == labels
        for given in (batch, canonicalize(batch, shipped.image_layout).batch)
    )
    plain[refused] = canonical[refused] = False
    found = Score(kind, plain.mean(), canonical.mean(), len(refused), float(np.median(seconds)))
    return found, [int(number) for number in np.flatnonzero(~canonical)]


def draw_examples(kinds: Sequence[str], shipped: Saved, images: Batch) -> list[Example]:
    """Draw one picture of each kind, and read it."""
    layout = layout_of(shipped)
    examples: list[Example] = []
    for number, kind in enumerate(kinds):
        digit = images[number % len(images)].reshape(layout.rows, layout.columns)
        file = draw(kind, digit, number)
        examples.append((kind, file, read(file, layout)))
    return examples


def layout_of(shipped: Saved) -> ImageLayout:
    """Return how the shipped network's images are laid out, in the client's words."""
    known = shipped.image_layout
    assert known is not None
    return ImageLayout(**asdict(known))


def match(words: Sequence[str]) -> list[str]:
    """Return the kinds in whose names one of the words is; all without words."""
    return [kind for kind in KINDS if not words or any(word in kind for word in words)]


@click.command()
@click.option(
    "--images", default=100, show_default=True, type=click.IntRange(min=1), help="Of each kind."
)
@click.option(
    "--kind", "words", multiple=True, help="Only kinds with this in their name; repeatable."
)
@click.option(
    "--data",
    default=DATA,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of MNIST's files.",
)
@click.option(
    "--split",
    default="test",
    show_default=True,
    type=click.Choice(["train", "test"]),
    help="Which images; thresholds are chosen on training images.",
)
@click.option("--wrong", is_flag=True, help="Name the numbers of the pictures that are read wrong.")
@click.option("--figure", type=PATH, metavar="FILE", help="Draw one picture of each kind instead.")
@clear_errors()
def main(
    images: int,
    words: tuple[str, ...],
    data: Path,
    split: Split,
    wrong: bool,
    figure: Path | None,
) -> None:
    """Draw MNIST's digits as pictures of many kinds, and print how many the shipped network reads.

    Only digits that it reads right as arrays are drawn.
    """
    shipped = weights_file.load(WEIGHTS)
    chosen = choose(shipped.network, *mnist.load(data, split), images)
    console = Console(stderr=True)
    kinds = match(words)
    if figure:
        write_figure(figure, draw_examples(kinds, shipped, chosen[0]))
        return
    rows = []
    for kind in track(kinds, "kinds", console=console, disable=not console.is_terminal):
        found, missed = score(kind, shipped, *chosen)
        shares = f"{found.plain:.0%}", f"{found.canonical:.0%}"
        rows.append((kind, *shares, str(found.refused), f"{found.seconds * 1e3:.1f}"))
        if wrong:
            click.echo(f"{kind}: {missed}")
    click.echo(f"{len(chosen[0])} pictures of each kind; of digits read right as arrays:")
    print_table(("kind", "plain", "canonical", "refused", "ms each"), rows)


if __name__ == "__main__":
    main()
