"""Checks that a model computes here what the exporter did, for batches of several sizes."""

import math
import threading
import timeit
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from modelfile.golden import GOLDEN_TOLERANCE, golden_difference
from modelfile.input_range import PIXELS, InputRange
from modelfile.layout import INPUT, OUTPUT, output_names
from server.errors import Fault
from server.models.runtime import VERSION, InferenceSession, RunOptions, fault_of_run

Batch = npt.NDArray[np.float32]

BATCH_TOLERANCE = 1e-3
"""Largest difference between an image's activations alone and in a batch, relative to the largest
activation of the layer if that is beyond 1: the order of additions differs.
"""

BATCH_SIZES = (2, 3, 64)
"""Images that are run together, after each was run alone."""

MAX_ALONE = 4
"""Golden images that are run alone."""

WARM_UP_SIZES = (1, 64)
WARM_UP_RUNS = 3


class Runner:
    """Runs a session for some seconds at most, and checks its outputs."""

    def __init__(
        self, session: InferenceSession, layer_sizes: tuple[int, ...], seconds: float
    ) -> None:
        self.n_pixels = layer_sizes[0]
        # The output layer first, as the exporter writes it.
        *hidden, output = zip(output_names(len(layer_sizes) - 1), layer_sizes[1:], strict=True)
        self._outputs = dict([output, *hidden])
        self._session, self._seconds = session, seconds
        self._options = RunOptions()
        # It must not refer to the runner, which would keep a discarded model in memory.
        self._timer = threading.Timer(seconds, setattr, (self._options, "terminate", True))
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()

    def run(self, batch: Batch) -> list[Batch]:
        """Return the activations of all layers for a batch (N, n_pixels), the output layer first.

        Raises Fault unless they are finite float32 of (N, neurons), or when the time is over.
        """
        try:
            layers = self._session.run(list(self._outputs), {INPUT: batch}, self._options)
        except Exception as error:
            if self._options.terminate:
                raise Fault(
                    f"took more than {self._seconds:g} s to check; export a smaller network",
                    "too_slow",
                ) from error
            raise fault_of_run(error, len(batch)) from error
        for (name, columns), values in zip(self._outputs.items(), layers, strict=True):
            if values.dtype != np.float32 or values.shape != (len(batch), columns):
                raise Fault(
                    f"answers {len(batch)} images with {name} {values.dtype} {values.shape}, "
                    f"wanted float32 ({len(batch)}, {columns}); export it again",
                    "answers",
                )
            if not np.isfinite(values).all():
                raise Fault(
                    f"answers {len(batch)} images with {name} that are no numbers or infinite; "
                    "export it again",
                    "not_finite",
                )
        return list(layers)


def check(
    runner: Runner, pixels: Batch, expected: Batch, input_range: InputRange = PIXELS
) -> float:
    """Return the largest difference from the golden answers (E, classes) to the images (E, pixels).

    Raises Fault when that is too large, or when an image's activations depend on its batch.
    """
    difference = golden_difference(runner.run(pixels)[0], expected)
    if not difference <= GOLDEN_TOLERANCE:
        raise Fault(
            f"fails its golden examples: the largest difference is {difference:.3g}, allowed is "
            f"{GOLDEN_TOLERANCE:g}; the file is damaged or this ONNX Runtime "
            f"({VERSION}) computes something else: export it again",
            "golden_examples",
        )
    # Not only the golden images: there may be one, or all may be the same.
    shares = _drawn(2, runner.n_pixels)
    shares = np.concatenate([shares, np.zeros_like(shares[:1]), np.ones_like(shares[:1])])
    images = np.concatenate([pixels[:MAX_ALONE], input_range.at(shares)])
    alone = [
        np.concatenate(rows)
        for rows in zip(*(runner.run(image[np.newaxis]) for image in images), strict=True)
    ]
    golden = min(len(pixels), MAX_ALONE)
    _compare(1, OUTPUT, alone[0][:golden], expected[:golden])
    names = [OUTPUT, *output_names(len(alone))[:-1]]
    for size in BATCH_SIZES:
        # Starting with the last, so that small batches hold different images.
        chosen = -1 - np.arange(size) % len(images)
        for name, rows, wanted in zip(names, runner.run(images[chosen]), alone, strict=True):
            _compare(size, name, rows, wanted[chosen])
    return difference


def warm_up(runner: Runner, input_range: InputRange = PIXELS) -> tuple[float, float]:
    """Run each size so that the first caller need not wait; returns their shortest times."""
    shares = [np.zeros((size, runner.n_pixels), np.float32) for size in WARM_UP_SIZES]
    single, many = (
        min(timeit.repeat(partial(runner.run, batch), number=1, repeat=WARM_UP_RUNS))
        for batch in map(input_range.at, shares)
    )
    return single, max(single, many)


def _drawn(number: int, n_pixels: int) -> Batch:
    """Return different images (number, n_pixels), the same each time.

    Multiples of the golden ratio lie evenly in [0, 1); NumPy's generators are slow to import.
    """
    multiples = np.arange(1, number * n_pixels + 1) * ((math.sqrt(5) - 1) / 2)
    return (multiples % 1).astype(np.float32).reshape(number, n_pixels)


def _compare(size: int, name: str, found: Batch, wanted: Batch) -> None:
    """Raise Fault when a batch of a size gets other activations than wanted."""
    scale = max(1.0, float(np.abs(wanted).max()))
    difference = float(np.abs(found - wanted).max()) / scale
    if not difference <= BATCH_TOLERANCE:
        raise Fault(
            f"answers an image otherwise in a batch of {size}: {name} differs by {difference:.3g}, "
            f"allowed is {BATCH_TOLERANCE:g}; export it again",
            "answers",
        )
