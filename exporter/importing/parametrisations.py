"""Weights that are kept in parts, put together as PyTorch does in evaluation mode."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from exporter.importing.source import Array
from exporter.network.weights_file import WeightsError


@dataclass(frozen=True, slots=True)
class Form:
    """How a parameter's parts end, what is computed of them, and a line that says so."""

    endings: tuple[str, ...]
    compute: Callable[..., Array]
    note: str


def weight_norm(g: Array, v: Array) -> Array:
    """Return g * v / |v|, the norm over all of v or its rows or columns, as g's shape tells."""
    for axis in (1, 0, None):
        norm = np.linalg.norm(v, axis=axis, keepdims=axis is not None)
        if np.shape(norm) == g.shape:
            result: Array = v * (g / norm)
            return result
    raise ValueError(f"magnitudes of shape {g.shape} for directions of shape {v.shape}")


def spectral_norm(weights: Array, u: Array, v: Array) -> Array:
    """Return weights / (u . W v), with W transposed when u counts its columns."""
    transposed = weights if u.shape == weights.shape[:1] else weights.T
    result: Array = weights / (u @ transposed @ v)
    return result


def pruned(weights: Array, mask: Array) -> Array:
    """Return the weights where the mask is 1, and 0 where it is 0."""
    if weights.shape != mask.shape:
        raise ValueError(f"a mask of shape {mask.shape} for {weights.shape}")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError("a mask with other numbers than 0 and 1")
    return weights * mask


WEIGHT_NORM = "weight_norm: g * v / |v|"
SPECTRAL_NORM = "spectral_norm: W / (u . W v)"

FORMS = (
    Form(("_g", "_v"), weight_norm, WEIGHT_NORM),
    Form((".original0", ".original1"), weight_norm, WEIGHT_NORM),
    Form(("_orig", "_mask"), pruned, "pruning: the original where the mask is 1"),
    Form(("_orig", "_u", "_v"), spectral_norm, SPECTRAL_NORM),
    Form((".original", ".0._u", ".0._v"), spectral_norm, SPECTRAL_NORM),
)
"""torch.nn.utils.weight_norm, prune and spectral_norm, and their successors in parametrizations.

Sources: the `compute_weight` and `forward` of these modules of PyTorch.
"""

_PART = re.compile(
    r"(?P<prefix>(.*[./])?)((?P<parameter>weight|bias)(?P<ending>_[a-z]+)"
    r"|parametrizations\.(?P<successor>weight|bias)(?P<path>\..+))"
)


def resolve(named: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the arrays with each parameter in place of its parts, and notes on what was computed.

    Parts that make no whole stay as they are, also those of parameters that have more of them, as
    one that is both pruned and normalised. Raises WeightsError when parts don't fit together.
    """
    targets: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    for name in named:
        if match := _PART.fullmatch(name):
            target = match["prefix"] + (match["parameter"] or match["successor"])
            targets[name] = target
            parts.setdefault(target, {})[match["ending"] or match["path"]] = name
    forms = {
        target: form
        for target, its in parts.items()
        for form in FORMS
        if {*its} == {*form.endings} and target not in named
    }
    found: dict[str, Array] = {}
    notes: dict[str, list[str]] = {}
    for name, array in named.items():
        target = targets.get(name, "")
        if target not in forms:
            found[name] = array
        elif target not in found:
            # Where its first part stands, since the order of names may tell the layers'.
            form = forms[target]
            its = parts[target]
            found[target] = _compute(form, target, [named[its[end]] for end in form.endings])
            notes.setdefault(form.note, []).append(target)
    return found, tuple(f"{', '.join(names)} computed by {note}" for note, names in notes.items())


def _compute(form: Form, name: str, parts: list[Array]) -> Array:
    for part in parts:
        if part.dtype.kind not in "fiub":
            raise WeightsError(f"{name}: {part.dtype}, wanted numbers; save it as float32")
    try:
        with np.errstate(all="ignore"):
            return form.compute(*(part.astype(np.float64) for part in parts))
    except ValueError as error:
        raise WeightsError(
            f"{name}: can't be computed by {form.note}: {error}; remove the parametrisation in "
            "PyTorch before the weights are saved, such as with "
            "torch.nn.utils.parametrize.remove_parametrizations"
        ) from error
