"""Checks that a model gives the exporter's results here, for batches of several sizes."""

import threading
import timeit
from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from modelfile.check import CheckError, check_model
from modelfile.input_range import PIXELS, InputRange
from modelfile.layout import INPUT, output_names
from modelfile.metadata import Metadata
from modelfile.rounding import Layer
from server.errors import Fault
from server.models.runtime import VERSION, InferenceSession, RunOptions, fault_of_run

Batch = npt.NDArray[np.float32]

RUNTIME = f"this ONNX Runtime ({VERSION})"

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
                    f"answers {len(batch)} images with {name} that are NaN or infinite; export it "
                    "again",
                    "not_finite",
                )
        return list(layers)


def check(runner: Runner, layers: Sequence[Layer], metadata: Metadata) -> float:
    """Return the largest difference from the golden answers.

    Raises Fault when the runner's results contradict the layers' weights or the golden answers, in
    any layer or batch size.
    """
    try:
        return check_model(runner.run, RUNTIME, layers, metadata).difference
    except CheckError as error:
        raise Fault(str(error), error.reason) from error


def warm_up(runner: Runner, input_range: InputRange = PIXELS) -> tuple[float, float]:
    """Run each size so that the first caller need not wait; returns their shortest times."""
    shares = [np.zeros((size, runner.n_pixels), np.float32) for size in WARM_UP_SIZES]
    single, many = (
        min(timeit.repeat(partial(runner.run, batch), number=1, repeat=WARM_UP_RUNS))
        for batch in map(input_range.at, shares)
    )
    return single, max(single, many)
