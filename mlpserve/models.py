"""What a server tells of its models: which it has, and the networks in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """What the images that a model was trained on have in common.

    `rows` and `columns` count pixels; `ink` is "light" on a dark background, or "dark" on a light
    one. Lengths and places are shares of the image's side: `longest_side` is the larger of the
    ink's height and width with its soft edges, 0.73 for MNIST; `centre`, down and to the right from
    the middle of the first pixel, is where the centre is of the ink's "mass" or "box", as
    `centring` says. `ink` and `centring` are empty when the server's words are newer than this
    client. Few images have ink whose height is a smaller share of its width than `flattest`; 0
    when that is not known.
    """

    rows: int
    columns: int
    ink: str
    longest_side: float
    centring: str
    centre: tuple[float, float]
    flattest: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a model.

    `is_loaded` tells whether it answers requests. `error` says why not; for a loaded version, why
    its file, changed or gone since, is not followed. `layer_sizes` counts the neurons of each layer
    from input to output; `input_range` tells which numbers it takes: "[0, 1]" for pixels, another
    "[low, high]", or "finite". They, `label_names` and `weights_sha256` are empty unless it is
    loaded; `image_layout` is None also when its images have no known layout. `version` 0 stands for
    a folder whose number is larger than versions can be.
    """

    version: int
    is_loaded: bool
    error: str
    layer_sizes: tuple[int, ...]
    label_names: tuple[str, ...]
    weights_sha256: str
    input_range: str = ""
    image_layout: ImageLayout | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a server.

    `versions` are ascending; `labels` are names of versions, such as stable; `default_version`, the
    newest, answers requests naming no version unless the server spreads them over several, and is 0
    when none is loaded; `is_default` tells whether the model answers requests naming no model.
    """

    name: str
    versions: tuple[ModelVersion, ...]
    labels: Mapping[str, int]
    default_version: int
    is_default: bool


def find_model(models: Iterable[Model], name: str) -> Model | None:
    """Return the model of this name, or the default one if the name is empty; None without one."""
    return next(
        (model for model in models if model.name == name or (not name and model.is_default)), None
    )


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer of H neurons after one of I: activation(weights @ before + biases).

    `weights` are (H, I) float32, `biases` (H,); `activation` is the function's name.
    """

    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]
    activation: str


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The layers of a model after the input, the names of its classes, and what it takes."""

    model: str
    version: int
    layers: tuple[Layer, ...]
    label_names: tuple[str, ...]
    input_range: str = ""
    image_layout: ImageLayout | None = None
