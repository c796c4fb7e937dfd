"""From arrays, named or in order, to layers: which are weights and biases, and of which layer."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from exporter.importing import names, parametrisations
from exporter.importing.source import Array, Orientation, Source, SourceLayer
from exporter.network.arrays import WeightsError, to_names
from exporter.network.weights_file import INPUT_RANGE, read_input_range

ORIGIN = "NumPy arrays"

FACTS = ("activations", "labels", INPUT_RANGE)
"""Keys that say what weights don't, as in a weights file."""

PARTS = frozenset({"orig", "original", "parametrizations", "mask"})
"""Words of parametrised weights."""

WANTED = "name them so that they pair and count: W1, b1, W2, b2, or fc1.weight, fc1.bias"


def read(given: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]) -> Source:
    """Return the layers of arrays in order, or of named ones.

    Raises WeightsError when an array is not part of a plain network.
    """
    if not isinstance(given, Mapping):
        named = {f"array {index}": np.asarray(array) for index, array in enumerate(given)}
        return Source(ORIGIN, _in_order(named))
    named = {name: np.asarray(array) for name, array in given.items()}
    facts = {key: named.pop(key) for key in FACTS if key in named}
    others: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    if named and all(re.fullmatch(r"arr_\d+", name) for name in named):
        layers = _in_order(dict(sorted(named.items(), key=lambda item: int(item[0][4:]))))
    else:
        counters = [name for name in named if names.COUNTERS.fullmatch(name)]
        named, notes = parametrisations.resolve(
            {name: array for name, array in named.items() if name not in counters}
        )
        notes += tuple(f"{name} is a counter: left out" for name in counters)
        layers, others = _by_name(named)
    activations, labels = (
        to_names(key, facts[key]) if key in facts else None for key in ("activations", "labels")
    )
    return Source(
        ORIGIN,
        layers,
        orientation=_habit(layers),
        activations=activations[:-1] if activations else None,
        output=activations[-1] if activations else None,
        labels=labels,
        input_range=read_input_range(facts[INPUT_RANGE]) if INPUT_RANGE in facts else None,
        notes=notes,
        others=others,
    )


def _in_order(named: Mapping[str, Array]) -> tuple[SourceLayer, ...]:
    """Return the layers of arrays in order: weights have two dimensions, biases have one."""
    layers: list[SourceLayer] = []
    for name, array in named.items():
        if array.ndim != 1:
            if array.ndim != 2:
                raise WeightsError(f"{name}: {_no_part(name, array)}")
            layers.append(SourceLayer(name, array))
        elif layers and layers[-1].biases is None:
            weights = layers[-1]
            layers[-1] = SourceLayer(weights.weights_name, weights.weights, name, array)
        else:
            raise WeightsError(
                f"{name}: shape {array.shape}, wanted weights with two dimensions before it"
            )
    return tuple(layers)


def _by_name(named: Mapping[str, Array]) -> tuple[tuple[SourceLayer, ...], dict[str, str]]:
    """Return the layers of named arrays, and why other arrays are not part of one."""
    read_names = {name: names.read(name) for name in named}
    # A word beside a part's own, as in weight_scale, tells a layer only where there are no paths.
    is_strict = any(its.has_path for its in read_names.values())
    others: dict[str, str] = {}
    weights: dict[names.Stem, str] = {}
    biases: dict[names.Stem, str] = {}
    for name, its in read_names.items():
        array = named[name]
        if its.role is None or (is_strict and its.has_words):
            others[name] = _no_part(name, array)
            continue
        role = weights if its.role == "weights" else biases
        is_vector = array.size == max(array.shape, default=1)
        if not (array.ndim == 2 if role is weights else is_vector):
            others[name] = _no_part(name, array)
        elif its.stem in role:
            others[name] = f"belongs to the same layer as {role[its.stem]}; {WANTED}"
        else:
            role[its.stem] = name
    beside = _beside(read_names, list(others))
    for stem, name in biases.items():
        if stem not in weights:
            others[name] = (
                f"stands beside {beside[stem]}, which is not a layer's weights"
                if stem in beside
                else f"biases without weights; {WANTED}"
            )
    are_heads = names.is_attention(list(weights))
    layers = []
    for stem, name in weights.items():
        kind = "attention" if are_heads else names.kind(name, stem) or _gated(stem, weights, named)
        doubt = kind and f"its name is that of {kind}, which can't be imported"
        bias = biases.get(stem, "")
        layers.append(
            SourceLayer(
                name,
                named[name],
                bias,
                named.get(bias),
                stem,
                read_names[name].layer,
                doubt or "",
            )
        )
    return tuple(layers), others


def _gated(
    stem: names.Stem, weights: Mapping[names.Stem, str], named: Mapping[str, Array]
) -> str | None:
    """Return what w1, w2 and w3 are when w3 stands beside w1, as in w2(f(w1(x)) * w3(x))."""
    *path, last = stem or (names.Component((), ()),)
    if last.words != ("w",):
        return None
    parts = [
        named[weights[found]].shape
        for number in (1, 2, 3)
        if (found := (*path, names.Component(("w",), (number,)))) in weights
    ]
    is_gated = len(parts) == 3 and parts[0] == parts[2] == parts[1][::-1]
    return "a mixture of experts or a gate" if is_gated else None


def _habit(layers: Sequence[SourceLayer]) -> Orientation | None:
    """Return the orientation that the words of a library give away."""
    weights = [layer.weights_name for layer in layers]
    if all(names.IN_OUT.intersection(re.findall("[a-z]+", name.lower())) for name in weights):
        return "in-out"
    return "out-in" if all(f".{name}".endswith(".weight") for name in weights) else None


def _beside(named: Mapping[str, names.Name], others: Sequence[str]) -> dict[names.Stem, str]:
    """Return what stands beside biases without weights, such as those of a normalisation."""
    beside: dict[names.Stem, str] = {}
    for other in others:
        stem = named[other].stem
        for end in range(1, len(stem) + 1):
            beside.setdefault(stem[:end], other)
    return beside


def _no_part(name: str, array: Array) -> str:
    """Say why an array is not part of a plain network, and what to do."""
    shape = f"shape {array.shape}"
    words = set(re.findall("[a-z]+", name.lower()))
    found = names.read(name)
    kind = names.kind(name, (*found.stem, names.Component(tuple(sorted(words)), ())))
    if PARTS & words or name.endswith(("_g", "_u", "_v")):
        return (
            f"{shape} is part of a parametrisation that can't be computed from this file; remove "
            "it in PyTorch and save again, such as with "
            "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
        )
    if array.ndim > 2 and found.role == "weights":
        return (
            f"{shape} looks like a convolution; only fully connected layers, with weights of two "
            "dimensions, are imported"
        )
    is_vector = array.ndim == 1 and found.role == "weights"
    if {"running", "batches"} & words or (is_vector and not kind):
        return (
            f"{shape} belongs to a normalisation or a PReLU, which are not imported; fold a "
            "normalisation into the layer before it and save again"
        )
    told = f"{shape} is neither a layer's weights nor its biases"
    return f"{told}, but of {kind}" if kind else f"{told}; leave it out, or {WANTED}"
