"""Whether a runtime computes a model as exactly as float32 can, in batches of several sizes.

The exporter checks so before it publishes, the server before it serves.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from modelfile.golden import GoldenCheck, check_answers
from modelfile.layout import OUTPUT, output_names
from modelfile.metadata import Metadata
from modelfile.rounding import Layer, Values, compute

Run = Callable[[Values], list[Values]]
"""Returns the activations of all layers for images (N, n_in): the outputs, then the hidden ones."""

BATCH_SIZES = (2, 3, 64)
"""Images that are run together, after each was run alone: batches are added in other orders."""

MAX_ALONE = 4
"""Golden images that are run alone."""


class CheckError(ValueError):
    """A model is not computed as it should be, in words that follow the file's name.

    `golden` is how the golden examples went.
    """

    def __init__(
        self, message: str, reason: Literal["answers", "golden_examples"], golden: GoldenCheck
    ) -> None:
        super().__init__(message)
        self.reason, self.golden = reason, golden


def check_model(run: Run, runtime: str, layers: Sequence[Layer], metadata: Metadata) -> GoldenCheck:
    """Return how the golden examples went, with what is called `runtime` in messages.

    Raises CheckError unless the golden answers are those of the layers' weights, and each layer is
    computed as exactly as float32 can, whatever the size of the batch.
    """
    pixels = metadata.golden_pixels
    found = run(pixels)[0]
    golden = check_answers(
        layers, pixels, metadata.golden_activations, found, metadata.golden_is_float64
    )
    if not golden.passes:
        cause = f"{runtime} computes something else"
        if not golden.answers <= 1:
            cause = "its weights are not those that the answers were computed with"
        raise CheckError(
            f"fails its golden examples: the largest difference is {golden}; {cause}: "
            "export it again",
            "golden_examples",
            golden,
        )
    # Not only the golden images: there may be one, or all may be the same.
    shares = _drawn(2, metadata.layer_sizes[0])
    shares = np.concatenate([shares, np.zeros_like(shares[:1]), np.ones_like(shares[:1])])
    images = np.concatenate([pixels[:MAX_ALONE], metadata.input_range.at(shares)])
    *hidden, output = compute(layers, images)
    names = [OUTPUT, *output_names(len(layers))[:-1]]
    for size in (1, *BATCH_SIZES):
        for chosen in _batches(size, len(images)):
            answers = run(images[chosen])
            for name, layer, rows in zip(names, (output, *hidden), answers, strict=True):
                exact = layer.at(chosen)
                # NaN is not right either.
                if not (times := exact.error(rows)) <= 1:
                    raise CheckError(
                        f"answers an image differently in a batch of {len(rows)}: {name} is "
                        f"{times:.2g} times as far from its weights' own result as rounding can "
                        "explain; export it again",
                        "answers",
                        golden,
                    )
    return golden


def _drawn(number: int, n_pixels: int) -> Values:
    """Return different images (number, n_pixels), the same each time.

    Multiples of the golden ratio lie evenly in [0, 1); NumPy's generators are slow to import.
    """
    multiples = np.arange(1, number * n_pixels + 1) * ((math.sqrt(5) - 1) / 2)
    return (multiples % 1).astype(np.float32).reshape(number, n_pixels)


def _batches(size: int, n_images: int) -> Iterator[npt.NDArray[np.intp]]:
    """Return the images of a batch of a size: the last first, so that small ones hold different
    images; alone, each image.
    """
    if size == 1:
        yield from np.arange(n_images)[:, np.newaxis]
    else:
        yield -1 - np.arange(size) % n_images
