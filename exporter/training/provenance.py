"""What a trained network's file says besides its weights: their origin, and example images."""

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network
from exporter.network.weights_file import Provenance
from exporter.training.mnist import Dataset
from exporter.training.options import TrainingOptions
from exporter.training.training import Trained

N_EXAMPLES = 8

UNUSED = {"muon": (), "adamw": ("adamw_rate",), "sgd": ("adamw_rate", "decay")}
"""The options that each optimizer has no use for."""


def describe(
    trained: Trained, options: TrainingOptions, dataset: Dataset, n_train: int
) -> Provenance:
    """Return the provenance of a network trained on the first `n_train` images of `dataset`.

    It depends on nothing but the arguments, so that the same training gives the same file.
    """
    recipe = [options.optimizer, f"{options.activation} while training", options.loss]
    if options.loss == "cross-entropy":
        recipe.append(f"binary cross-entropy x {options.mix:g}")
    if options.augment:
        shown = ", ".join(
            f"{field.name} {getattr(options.distortions, field.name):g}"
            for field in fields(options.distortions)
        )
        recipe.append(f"augmentation ({shown})")
        recipe.append(
            f"fading from {options.fade_from:g} of the epochs on to {options.final_strength:g}"
        )
    recipe.append("temperature and shift fitted on validation")
    described: dict[str, str | int | float] = {
        "dataset": dataset.name,
        "images_sha256": dataset.images_sha256,
        "labels_sha256": dataset.labels_sha256,
        "protocol": (
            f"trained on the first {n_train} training images, chosen on the last "
            f"{options.n_validation}"
        ),
        "recipe": "; ".join(recipe),
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "rate": options.rate,
        "first_rate_factor": options.first_rate_factor,
        "adamw_rate": options.adamw_rate,
        "decay": options.decay,
        "seed": options.seed,
        "temperature": trained.calibration.temperature,
        "shift": trained.calibration.shift,
        "validation_accuracy": trained.validation_accuracy,
        "validation_images": options.n_validation,
    }
    unused = UNUSED[options.optimizer]
    return {key: value for key, value in described.items() if key not in unused}


def choose_examples(
    trained: Network, images: Batch, labels: npt.NDArray[np.integer], count: int = N_EXAMPLES
) -> Batch:
    """Return up to `count` images (E, pixels) that the network gets right, of different classes.

    The first right image of each class in the classes' order, then the second of each, and so on.
    """
    right = np.flatnonzero(trained.forward(images)[-1].argmax(axis=1) == labels)
    chosen: list[tuple[int, int, int]] = []
    for label in range(len(trained.labels)):
        of_class = right[labels[right] == label][:count]
        chosen += [(place, label, int(index)) for place, index in enumerate(of_class)]
    return images[[index for _, _, index in sorted(chosen)[:count]]]
