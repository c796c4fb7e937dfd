"""In which order layers stand and which way round their weights are, as far as shapes can tell."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations

from exporter.importing.source import Orientation, Source, SourceLayer
from exporter.network.weights_file import WeightsError

ORIENTATIONS: tuple[Orientation, ...] = ("out-in", "in-out")

MAX_ORDERS = math.factorial(7)
"""Orders that are tried, which takes well under a second."""

Layers = tuple[SourceLayer, ...]


def arrange(
    source: Source, orientation: Orientation | None
) -> tuple[Layers, bool, tuple[str, ...]]:
    """Return the layers from input to output, whether all are to be turned, and notes on both.

    All weights of a network are one way round, so that one matrix which fits only one way decides
    for the square ones too. What the shapes leave open is decided by `orientation`, if given, or
    else by the source's habit. Raises WeightsError when nothing fits, or too much.
    """
    if not source.layers:
        raise WeightsError("no weights found; wanted arrays with two dimensions, and their biases")
    for layer in source.layers:
        if layer.weights.ndim != 2:
            raise WeightsError(
                f"{layer.weights_name}: shape {layer.weights.shape}, wanted weights with two "
                "dimensions"
            )
    if orientation not in (None, *ORIENTATIONS):
        raise WeightsError(f"orientation: {orientation!r}, wanted one of {', '.join(ORIENTATIONS)}")
    candidates = ORIENTATIONS if orientation is None else (orientation,)
    fitting = [
        (layers, candidate)
        for layers in _orders(source.layers)
        for candidate in candidates
        if _misfit(layers, candidate) is None
    ]
    usual = [option for option in fitting if option[1] == source.orientation]
    if not fitting:
        raise WeightsError(_explain(source.layers, candidates, source.orientation))
    options = usual or fitting
    layers, fits = options[0]
    if any(_names(other) != _names(layers) for other, _ in options):
        raise WeightsError(
            f"layers: {', '.join(_names(source.layers))} fit in more than one order; number their "
            "names from input to output, such as layer1.weight, layer2.weight"
        )
    if len(options) > 1:
        shapes = ", ".join(f"{layer.weights_name} {layer.weights.shape}" for layer in layers)
        raise WeightsError(
            f"orientation: {shapes} fit both ways round; say which with orientation, --orientation "
            "on the command line: out-in (a row for each neuron) or in-out (a column for each)"
        )
    notes = []
    if _names(layers) != _names(source.layers):
        notes.append(f"ordered by their shapes: {', '.join(_names(layers))}")
    if fits == "in-out":
        notes.append("weights are (n_in, n_out): turned to (n_out, n_in)")
    return layers, fits == "in-out", tuple(notes)


def _orders(layers: Layers) -> Iterator[Layers]:
    """Yield every order that keeps the layers of each family as they stand.

    Where there are too many to try, only the one given.
    """
    families = Counter(layer.family for layer in layers)
    orders = math.factorial(len(layers)) // math.prod(map(math.factorial, families.values()))
    return _mixed(layers) if orders <= MAX_ORDERS else iter((layers,))


def _mixed(layers: Layers) -> Iterator[Layers]:
    """Yield each order that begins with the first layer of some family."""
    if not layers:
        yield ()
    seen: set[str] = set()
    for index, layer in enumerate(layers):
        if layer.family not in seen:
            seen.add(layer.family)
            for rest in _mixed(layers[:index] + layers[index + 1 :]):
                yield (layer, *rest)


def _misfit(layers: Layers, orientation: Orientation) -> tuple[int, str] | None:
    """Return the first layer that doesn't fit and why, or None when all do."""
    before: SourceLayer | None = None
    n_given = 0
    for index, layer in enumerate(layers):
        n_out, n_in = layer.weights.shape if orientation == "out-in" else layer.weights.shape[::-1]
        name = f"{layer.weights_name} {layer.weights.shape}"
        if layer.biases is not None and layer.biases.size != n_out:
            return index, (
                f"{name} has {n_out} neurons, but {layer.biases_name} {layer.biases.shape} has "
                f"{layer.biases.size} biases"
            )
        if before is not None and n_in != n_given:
            return index, (
                f"{name} takes {n_in} inputs, but {before.weights_name} {before.weights.shape} "
                f"has {n_given} neurons"
            )
        before, n_given = layer, n_out
    return None


def _explain(layers: Layers, candidates: Sequence[Orientation], habit: Orientation | None) -> str:
    """Say why no order and orientation fits, for the one that comes farthest."""
    misfits = [
        (misfit, candidate)
        for candidate in sorted(candidates, key=lambda candidate: candidate != habit)
        if (misfit := _misfit(layers, candidate)) is not None
    ]
    (_, reason), orientation = max(misfits, key=lambda item: item[0][0])
    message = f"layers: read as {orientation}, {reason}"
    for candidate in ORIENTATIONS:
        if candidate not in candidates and _misfit(layers, candidate) is None:
            return f"{message}; they fit as {candidate}"
    if math.factorial(len(layers)) <= MAX_ORDERS:
        for order in permutations(layers):
            if _misfit(order, orientation) is None:
                return f"{message}; they fit in the order {', '.join(_names(order))}"
    return message + "; wanted each layer to take what the one before it gives"


def _names(layers: Layers) -> list[str]:
    return [layer.weights_name for layer in layers]
