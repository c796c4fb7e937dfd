"""Which images a model expects: how many rows and columns, and how they are laid out."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpserve.models import ImageLayout, Model, ModelVersion, find_model


class NoImages(ValueError):
    """The model's images aren't known; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The rows and columns of a model's images, and their layout, if that is known.

    `numbers` are what stands for black and white, None for pixels.
    """

    shape: tuple[int, int]
    layout: ImageLayout | None
    numbers: tuple[float, float] | None = None


def find_version(models: Sequence[Model], name: str, number: int) -> tuple[Model, ModelVersion]:
    """Return a model, and the version of it that is asked, of those that a server lists.

    `name` may be empty for the server's default, `number` 0 for the newest. Raises NoImages when
    there is no such model or version.
    """
    model = _find_model(models, name)
    return model, _find_version(model, number)


def expect_pictures(model: Model, version: ModelVersion, side: int | None) -> Expected:
    """Return the images that a model wants made of pictures; `side` overrides their rows and
    columns.

    Raises NoImages when it takes no square images.
    """
    n_inputs = version.layer_sizes[0]
    layout = version.image_layout
    if side is not None:
        shape = (side, side)
    elif layout is not None:
        shape = (layout.rows, layout.columns)
    else:
        shape = (math.isqrt(n_inputs),) * 2
    if shape[0] * shape[1] != n_inputs:
        made = f"--side {side} makes" if side is not None else "square images of as many are none:"
        raise NoImages(
            f"{model.name}, version {version.version}, takes {n_inputs} numbers; {made} "
            f"{shape[0]} x {shape[1]} = {shape[0] * shape[1]}. "
            + ("Leave --side out" if side is not None else "Send it arrays, as .npy files")
        )
    return Expected(shape, layout, _read_range(model, version))


def _read_range(model: Model, version: ModelVersion) -> tuple[float, float] | None:
    if version.input_range in ("", "[0, 1]"):
        return None
    try:
        low, high = json.loads(version.input_range)
        return float(low), float(high)
    except (ValueError, TypeError) as error:
        raise NoImages(
            f"{model.name}, version {version.version}, takes {version.input_range} numbers, of "
            "which none is black or white. Send it arrays, as .npy files"
        ) from error


def _find_model(models: Sequence[Model], name: str) -> Model:
    model = find_model(models, name)
    if model is not None:
        return model
    names = ", ".join(model.name for model in models) or "none"
    if name:
        raise NoImages(f"there is no model {name!r}; the server has {names}")
    raise NoImages(f"the server has no default model; choose one with --model: {names}")


def _find_version(model: Model, number: int) -> ModelVersion:
    wanted = number or model.default_version
    for version in model.versions:
        if version.version == wanted and version.is_loaded and version.layer_sizes:
            return version
    loaded = ", ".join(str(version.version) for version in model.versions if version.is_loaded)
    what = f"version {wanted}" if wanted else "version that is loaded"
    raise NoImages(f"{model.name} has no {what}; loaded are: {loaded or 'none'}")
