"""What changes while training."""

from dataclasses import dataclass

from exporter.training.backpropagation import Array


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training images brought.

    `number` counts from 1; `loss` is the mean over the batches while they were trained on,
    `validation_accuracy` the share of the validation images that are right afterwards, `rate` the
    optimizer's rate at the last step.
    """

    number: int
    loss: float
    validation_accuracy: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that changes while training: arrays that steps move in place, and the finished epochs.

    `means` and `squares` are the optimizer's, shaped like `parameters`.
    """

    parameters: list[Array]
    means: list[Array]
    squares: list[Array]
    history: list[Epoch]
