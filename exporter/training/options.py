"""The options of a training, and the first weights that suit each activation."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from exporter.errors import ExporterError
from exporter.training.augmentation import Distortions

Activation = Literal["tanh", "sigmoid", "relu", "selu"]
LossName = Literal["cross-entropy", "squared-error"]
Optimizer = Literal["muon", "adamw", "sgd"]

INITIAL_GAIN: dict[str, float] = {"tanh": 1.0, "sigmoid": 4.0, "relu": math.sqrt(2), "selu": 1.0}
"""The factor by which each activation's first weights are larger than Glorot's."""


class TrainingError(ExporterError):
    """Options or images that can't be trained with; the message says what to change."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Everything besides the images that decides the weights.

    `hidden_sizes` are the neurons of each hidden layer, `activation` is theirs while training; tanh
    is folded into sigmoid at the end. `mix` is the binary part of the cross-entropy. `rate` and
    `decay` are the optimizer's, for weight matrices; plain gradient descent (`sgd`) has no decay,
    and wants a rate near 1. Beside Muon, biases move by AdamW at `adamw_rate`. `first_rate_factor`
    scales both rates in the first layer. Distortions are full until the share `fade_from` of the
    epochs, then fade linearly to `final_strength` of themselves; without `augment` there are none.
    The last `n_validation` images are never trained on. Raises TrainingError when a value makes no
    sense.
    """

    hidden_sizes: tuple[int, ...] = (16, 16)
    activation: Activation = "tanh"
    loss: LossName = "cross-entropy"
    mix: float = 0.3
    optimizer: Optimizer = "muon"
    epochs: int = 250
    batch_size: int = 256
    rate: float = 0.015
    decay: float = 0.005
    adamw_rate: float = 0.016
    first_rate_factor: float = 0.33
    augment: bool = True
    distortions: Distortions = Distortions()
    fade_from: float = 0.7
    final_strength: float = 0.3
    n_validation: int = 10_000
    seed: int = 3

    def __post_init__(self) -> None:
        wanted = {
            "hidden_sizes": (all(size > 0 for size in self.hidden_sizes), "positive numbers"),
            "activation": (self.activation in INITIAL_GAIN, "one of " + ", ".join(INITIAL_GAIN)),
            "loss": (self.loss in get_args(LossName), " or ".join(get_args(LossName))),
            "mix": (0 <= self.mix < math.inf, "0 or more"),
            "optimizer": (self.optimizer in get_args(Optimizer), " or ".join(get_args(Optimizer))),
            "epochs": (self.epochs > 0, "at least 1"),
            "batch_size": (self.batch_size > 0, "at least 1"),
            "rate": (0 < self.rate < math.inf, "above 0"),
            "decay": (0 <= self.decay < math.inf, "0 or more"),
            "adamw_rate": (0 < self.adamw_rate < math.inf, "above 0"),
            "first_rate_factor": (0 <= self.first_rate_factor < math.inf, "0 or more"),
            "fade_from": (0 <= self.fade_from < 1, "0 to below 1"),
            "final_strength": (0 <= self.final_strength <= 1, "0 to 1"),
            "n_validation": (self.n_validation > 0, "at least 1"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (fits, description) in wanted.items():
            if not fits:
                raise TrainingError(f"{name}: {getattr(self, name)!r}, wanted {description}")
