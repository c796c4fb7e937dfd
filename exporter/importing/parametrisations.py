"""Weights that are kept in parts, put together as PyTorch does in evaluation mode."""

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
    """Return weights / (u . W v), with W turned when u counts its columns."""
    turned = weights if u.shape == weights.shape[:1] else weights.T
    result: Array = weights / (u @ turned @ v)
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
    Form(("{}_g", "{}_v"), weight_norm, WEIGHT_NORM),
    Form(
        ("parametrizations.{}.original0", "parametrizations.{}.original1"), weight_norm, WEIGHT_NORM
    ),
    Form(("{}_orig", "{}_mask"), pruned, "pruning: the original where the mask is 1"),
    Form(("{}_orig", "{}_u", "{}_v"), spectral_norm, SPECTRAL_NORM),
    Form(
        tuple(f"parametrizations.{{}}.{part}" for part in ("original", "0._u", "0._v")),
        spectral_norm,
        SPECTRAL_NORM,
    ),
)
"""torch.nn.utils.weight_norm, prune and spectral_norm, and their successors in parametrizations.

Sources: the `compute_weight` and `forward` of these modules of PyTorch.
"""

PARAMETERS = ("weight", "bias")


def resolve(named: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the arrays with each parameter in place of its parts, and notes on what was computed.

    Parts that make no whole stay as they are. Raises WeightsError when parts don't fit together.
    """
    found = dict(named)
    notes: dict[str, list[str]] = {}
    for name in named:
        for form in FORMS:
            for parameter in PARAMETERS:
                endings = [ending.format(parameter) for ending in form.endings]
                prefix = name.removesuffix(endings[0])
                if prefix == name or (prefix and not prefix.endswith((".", "/"))):
                    continue
                parts = [prefix + ending for ending in endings]
                target = prefix + parameter
                if target in found or not all(part in found for part in parts):
                    continue
                if _others(found, prefix, parameter, parts):
                    continue
                # In its place, since the order of names may tell the layers'.
                whole = _compute(form, target, [found[part] for part in parts])
                found = {
                    target if key == parts[0] else key: whole if key == parts[0] else array
                    for key, array in found.items()
                    if key not in parts[1:]
                }
                notes.setdefault(form.note, []).append(target)
    return found, tuple(f"{', '.join(names)} by {note}" for note, names in notes.items())


def _others(named: Mapping[str, Array], prefix: str, parameter: str, parts: list[str]) -> bool:
    """Whether a parameter has more parts than these, as one that is both pruned and normalised."""
    beginnings = (f"{prefix}{parameter}_", f"{prefix}parametrizations.{parameter}.")
    return any(name.startswith(beginnings) and name not in parts for name in named)


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
