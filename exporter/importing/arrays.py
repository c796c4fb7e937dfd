"""From arrays, named or in order, to layers: which are weights, which are biases, of which layer.

Names are read as NumPy users, PyTorch, scikit-learn and Keras give them: W1 and b1, fc1.weight and
fc1.bias, coefs_0 and intercepts_0, dense_1/kernel and dense_1/bias.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from exporter.importing.source import Array, Orientation, Source, SourceLayer
from exporter.network.arrays import WeightsError, to_names
from exporter.network.weights_file import INPUT_RANGE, read_input_range

ORIGIN = "NumPy arrays"

WEIGHTS = frozenset({"w", "weight", "weights", "kernel", "kernels", "coef", "coefs"})
BIASES = frozenset({"b", "bias", "biases", "intercept", "intercepts"})
IN_OUT = frozenset({"kernel", "kernels", "coef", "coefs"})
"""Words of Keras and scikit-learn, which keep weights as (n_in, n_out)."""

FACTS = ("activations", "labels", INPUT_RANGE)
"""Keys that say what weights don't, as in a weights file."""

WANTED = "name them so that they pair and count: W1, b1, W2, b2, or fc1.weight, fc1.bias"


def read(given: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]) -> Source:
    """Return the layers of arrays in order, or of named ones.

    Raises WeightsError when an array is no part of a plain network.
    """
    if not isinstance(given, Mapping):
        named = {f"array {index}": np.asarray(array) for index, array in enumerate(given)}
        return Source(ORIGIN, _in_order(named))
    named = {name: np.asarray(array) for name, array in given.items()}
    facts = {key: named.pop(key) for key in FACTS if key in named}
    if named and all(re.fullmatch(r"arr_\d+", name) for name in named):
        layers = _in_order(dict(sorted(named.items(), key=lambda item: _order(_words(item[0])))))
    else:
        layers = _by_name(named)
    activations, labels = (
        to_names(key, facts[key]) if key in facts else None for key in ("activations", "labels")
    )
    return Source(
        ORIGIN,
        layers,
        orientation=_habit([layer.weights_name for layer in layers]),
        activations=activations[:-1] if activations else None,
        output=activations[-1] if activations else None,
        labels=labels,
        input_range=read_input_range(facts[INPUT_RANGE]) if INPUT_RANGE in facts else None,
    )


def _in_order(named: Mapping[str, Array]) -> tuple[SourceLayer, ...]:
    """Return the layers of arrays in order: weights have two dimensions, biases have one."""
    layers: list[SourceLayer] = []
    for name, array in named.items():
        if array.ndim != 1:
            _check_weights(name, array)
            layers.append(SourceLayer(name, array))
        elif layers and layers[-1].biases is None:
            weights = layers[-1]
            layers[-1] = SourceLayer(weights.weights_name, weights.weights, name, array)
        else:
            raise WeightsError(
                f"{name}: shape {array.shape}, wanted weights with two dimensions before it"
            )
    return tuple(layers)


def _by_name(named: Mapping[str, Array]) -> tuple[SourceLayer, ...]:
    """Return the layers of named arrays, those of one family in the order of their numbers."""
    weights: dict[tuple[str, ...], str] = {}
    biases: dict[tuple[str, ...], str] = {}
    for name in named:
        words = _words(name)
        roles = [word for word in words if word in WEIGHTS | BIASES]
        if not roles:
            raise WeightsError(_no_part(name, named[name], words))
        role = weights if roles[-1] in WEIGHTS else biases
        last = len(words) - 1 - words[::-1].index(roles[-1])
        stem = (*words[:last], *words[last + 1 :])
        if stem in role:
            raise WeightsError(f"{name}: belongs to the same layer as {role[stem]}; {WANTED}")
        role[stem] = name
    lonely = [name for stem, name in biases.items() if stem not in weights]
    if lonely:
        raise WeightsError(f"{lonely[0]}: biases without weights; {WANTED}")
    for name in biases.values():
        if named[name].size != max(named[name].shape, default=1):
            raise WeightsError(_no_part(name, named[name], _words(name)))
    families = list(dict.fromkeys(_family(stem) for stem in weights))
    layers = []
    for stem in sorted(weights, key=lambda stem: (families.index(_family(stem)), _order(stem))):
        name = weights[stem]
        _check_weights(name, named[name])
        bias = biases.get(stem, "")
        layers.append(SourceLayer(name, named[name], bias, named.get(bias), _family(stem)))
    return tuple(layers)


def _words(name: str) -> tuple[str, ...]:
    """Return the words and numbers of a name in lower case: layer1.weight -> layer, 1, weight."""
    return tuple(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d{1,18}", name))


def _order(stem: Sequence[str]) -> tuple[int, ...]:
    """Return a stem's numbers; none comes before any, as Keras has dense, dense_1, dense_2."""
    return tuple(int(word) for word in stem if word.isdigit())


def _family(stem: Sequence[str]) -> str:
    return ".".join(word for word in stem if not word.isdigit())


def _habit(names: Sequence[str]) -> Orientation | None:
    """Return the orientation that the words of a library give away."""
    if all(IN_OUT & set(_words(name)) for name in names):
        return "in-out"
    return "out-in" if all(name.endswith(".weight") for name in names) else None


def _check_weights(name: str, array: Array) -> None:
    """Raise WeightsError unless the array can be a layer's weights."""
    if array.ndim != 2:
        raise WeightsError(_no_part(name, array, _words(name)))


def _no_part(name: str, array: Array, words: Sequence[str]) -> str:
    """Say why an array is no part of a plain network, and what to do."""
    described = f"{name}: shape {array.shape}"
    if "running" in words or "batches" in words or (array.ndim == 1 and WEIGHTS & set(words)):
        return (
            f"{described} belongs to a normalisation, which is not imported; fold it into the "
            "layer before it and save again"
        )
    if array.ndim > 2 and WEIGHTS & set(words):
        return (
            f"{described} looks like a convolution; only fully connected layers, with weights of "
            "two dimensions, are imported"
        )
    return f"{described} is neither a layer's weights nor its biases; leave it out, or {WANTED}"
