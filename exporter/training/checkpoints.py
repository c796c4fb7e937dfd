"""The state of a training between two epochs: kept in a file, so that nothing is lost."""

import hashlib
import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError, reason_of
from exporter.files import READ_ERRORS, pack_npz, read_npz, write_file
from exporter.network.network import Batch
from exporter.training.backpropagation import Array
from exporter.training.options import TrainingOptions

GROUPS = ("parameters", "means", "squares")


class CheckpointError(ExporterError):
    """A checkpoint can't be used, or belongs to another training; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training images brought, counted from 1.

    `loss` is the mean over the batches while they were trained on, `validation_accuracy` the share
    of the validation images that are right afterwards, `rate` the optimizer's at the last step.
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


def identify(
    images: Batch, labels: npt.NDArray[np.integer], options: TrainingOptions
) -> dict[str, Any]:
    """Return what tells one training from another: its options, and the SHA-256 of its data."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(labels.astype("<i8").tobytes())
    identity = {**asdict(options), "data_sha256": digest.hexdigest()}
    return dict(json.loads(json.dumps(identity)))


def save(path: Path, state: State, identity: dict[str, Any]) -> None:
    """Write the state of a training, replacing an older one in one step. Raises OSError."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "identity": np.array(json.dumps(identity)),
        "history": np.array([astuple(epoch) for epoch in state.history]),
    }
    for group in GROUPS:
        for index, array in enumerate(getattr(state, group)):
            arrays[f"{group}_{index}"] = array
    write_file(path, pack_npz(arrays))


def load(path: Path, identity: dict[str, Any]) -> State:
    """Read the state of the training that `identity` describes.

    Raises CheckpointError when the file is no checkpoint, or that of another training.
    """
    try:
        arrays = read_npz(path.read_bytes())
        stored: dict[str, Any] = json.loads(str(arrays["identity"]))
        history = [Epoch(int(row[0]), *map(float, row[1:])) for row in arrays["history"]]
        n_parameters = sum(key.startswith("parameters_") for key in arrays)
        parameters, means, squares = (
            [arrays[f"{group}_{index}"] for index in range(n_parameters)] for group in GROUPS
        )
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {reason_of(error)}") from error
    except READ_ERRORS as error:
        raise CheckpointError(
            f"{path} is not a checkpoint ({error}); delete it to start afresh"
        ) from error
    for key in sorted(identity.keys() | stored.keys()):
        if identity.get(key) != stored.get(key):
            raise CheckpointError(
                f"{path} belongs to another training: {key} was {stored.get(key)!r}, wanted "
                f"{identity.get(key)!r}; delete it to start afresh, or name another checkpoint"
            )
    return State(parameters, means, squares, history)
