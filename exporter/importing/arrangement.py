"""The order of layers and the orientation of their weights, according to names and shapes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from exporter.importing.order import Relation, precedence
from exporter.importing.source import Choices, Orientation, Source, SourceLayer
from exporter.network.weights_file import WeightsError

ORIENTATIONS: tuple[Orientation, ...] = ("out-in", "in-out")

MAX_LAYERS = 500
MAX_STEPS = 10_000
"""Beginnings of orders that are tried, which takes well under a second."""

MAX_NAMES = 12
"""Names that a message lists."""

Layers = tuple[SourceLayer, ...]


def arrange(source: Source, choices: Choices) -> tuple[Layers, bool, tuple[str, ...]]:
    """Return the layers from input to output, whether all need transposing, and notes on both.

    The user may name the layers. Otherwise all are taken, in the one order in which their shapes
    fit and which their names don't contradict. All weights of a network are one way round, so that
    one matrix which fits only one way decides for the square ones too; what the shapes leave open
    is decided by the chosen orientation, or else by the source's habit. Raises WeightsError when
    nothing fits, or too much, or something is there that is not a layer of a perceptron.
    """
    orientation = choices.orientation
    if orientation not in (None, *ORIENTATIONS):
        raise WeightsError(f"orientation: {orientation!r}, wanted one of {', '.join(ORIENTATIONS)}")
    candidates = ORIENTATIONS if orientation is None else (orientation,)
    layers, relations, notes = _select(source, choices.layers)
    for layer in layers:
        if layer.weights.ndim != 2:
            raise WeightsError(
                f"{layer.weights_name}: shape {layer.weights.shape}, wanted weights with two "
                "dimensions"
            )
    fitting = {
        candidate: list(islice(_chains(layers, relations, candidate), 2))
        for candidate in candidates
    }
    every = [(order, candidate) for candidate in candidates for order in fitting[candidate]]
    options = [option for option in every if option[1] == source.orientation] or every
    if not options:
        raise WeightsError(_explain(layers, relations, candidates, source.orientation))
    order, fits = options[0]
    ordered = _at(layers, order)
    if other := next((other for other, _ in options if other != order), None):
        raise WeightsError(
            f"layers: {titles(layers)} fit in more than one order, such as {titles(ordered)} and "
            f"{titles(_at(layers, other))}; {_remedy(ordered)}, or number their names"
        )
    if len(options) > 1:
        shapes = ", ".join(f"{layer.weights_name} {layer.weights.shape}" for layer in ordered)
        raise WeightsError(
            f"orientation: {shapes} fit both ways round; give orientation, --orientation on the "
            "command line: out-in (a row for each neuron) or in-out (a column for each)"
        )
    habit = source.orientation
    if habit not in (None, fits) and orientation is None and not _proves_orientation(ordered):
        raise WeightsError(
            f"orientation: {titles(ordered)} fit only as {fits}, but by their names they are "
            f"{habit}; say which they are with orientation, --orientation on the command line, or "
            "in which order they stand with layers, --layers"
        )
    if order != tuple(range(len(layers))):
        names = listed([layer.weights_name for layer in ordered])
        notes.append(f"ordered by their names and shapes: {names}")
    if fits == "in-out":
        notes.append("weights are (n_in, n_out): transposed to (n_out, n_in)")
    return ordered, fits == "in-out", tuple(notes)


def _proves_orientation(layers: Layers) -> bool:
    """Whether biases determine the orientation of weights; else reversed layers would fit too."""
    return any(
        layer.biases is not None and layer.weights.shape != layer.weights.shape[::-1]
        for layer in layers
    )


def titles(layers: Sequence[SourceLayer]) -> str:
    """Return the names of layers, of many the first ones."""
    return listed([layer.title for layer in layers])


def listed(names: Sequence[str]) -> str:
    """Return names with commas, of many the first ones."""
    more = len(names) - MAX_NAMES
    return ", ".join([*names[:MAX_NAMES], *([f"and {more} more"] if more > 0 else [])])


def _select(source: Source, named: Sequence[str] | None) -> tuple[Layers, set[Relation], list[str]]:
    """Return the layers to take, which of them come before which, and notes.

    Raises WeightsError when the user names none that is there, or, where the user names none, when
    there is anything but layers of one perceptron.
    """
    if named is not None:
        return _named(source, named)
    layers = source.layers
    doubts = {layer.weights_name: layer.doubt for layer in layers if layer.doubt}
    if wrong := {**source.others, **doubts}:
        name, reason = next(iter(wrong.items()))
        others = [other for other in wrong if other != name]
        also = f"; not imported either: {listed(others)}" if others else ""
        raise WeightsError(f"{name}: {reason}{also}{_found(layers)}")
    if not layers:
        raise WeightsError("no weights found; wanted arrays with two dimensions, and their biases")
    if len(layers) > MAX_LAYERS:
        raise WeightsError(f"layers: {len(layers)}, wanted up to {MAX_LAYERS}")
    try:
        return layers, precedence(layers), []
    except WeightsError as error:
        raise WeightsError(f"{error}; {_remedy(layers[:2])}") from error


def _named(source: Source, named: Sequence[str]) -> tuple[Layers, set[Relation], list[str]]:
    by_name = {name: layer for layer in source.layers for name in (layer.weights_name, layer.title)}
    for name in named:
        if name not in by_name:
            why = f" ({source.others[name]})" if name in source.others else ""
            raise WeightsError(
                f"layers: {name!r} is not a layer{why}; layers: {titles(source.layers) or 'none'}"
            )
        if named.count(name) > 1:
            raise WeightsError(f"layers: {name!r} is named twice")
    layers = tuple(by_name[name] for name in named)
    if not layers:
        raise WeightsError("layers: the list is empty; name them from input to output")
    left = [layer.title for layer in source.layers if layer not in layers]
    left += list(source.others)
    notes = [f"left out: {listed(left)}"] if left else []
    relations = {(first, first + 1) for first in range(len(layers) - 1)}
    return layers, relations, notes


def _found(layers: Sequence[SourceLayer]) -> str:
    """Return which layers were found besides the unsupported parts, or that there are none."""
    good = [layer for layer in layers if not layer.doubt]
    found = listed([f"{layer.title} {layer.weights.shape}" for layer in good])
    told = f"layers found: {found}" if good else "no layers of a perceptron are left"
    return f"; {told}; {_remedy(good or layers)}" if layers else f"; {told}"


def _remedy(layers: Sequence[SourceLayer]) -> str:
    example = ",".join(layer.title for layer in layers[:MAX_NAMES])
    return (
        "to import some layers alone, name them from input to output with layers, on the command "
        f"line such as --layers {example}"
    )


def _at(layers: Layers, order: Sequence[int]) -> Layers:
    return tuple(layers[index] for index in order)


def _sizes(layer: SourceLayer, orientation: Orientation) -> tuple[int, int]:
    """Return how many inputs and neurons a layer has when it is read one way."""
    n_out, n_in = layer.weights.shape if orientation == "out-in" else layer.weights.shape[::-1]
    return n_in, n_out


def _chains(
    layers: Layers, relations: set[Relation], orientation: Orientation
) -> Iterator[tuple[int, ...]]:
    """Yield every order in which each layer takes what the one before it gives."""
    sizes = [_sizes(layer, orientation) for layer in layers]
    if any(
        layer.biases is not None and layer.biases.size != n_out
        for layer, (_, n_out) in zip(layers, sizes, strict=True)
    ):
        return
    # What layers take, others give, except at the two ends.
    taken, given = (Counter(side) for side in zip(*sizes, strict=True))
    if (taken - given).total() > 1:
        return
    waits: list[set[int]] = [set() for _ in layers]
    for first, second in relations:
        waits[second].add(first)
    # Beginnings of orders, the next one to go on with last.
    beginnings: list[tuple[int, ...]] = [()]
    steps = 0
    while beginnings:
        order = beginnings.pop()
        if len(order) == len(layers):
            yield order
            continue
        steps += 1
        if steps > MAX_STEPS:
            raise WeightsError(
                f"layers: {titles(layers)} might fit in too many orders; {_remedy(layers)}"
            )
        placed = set(order)
        beginnings += [
            (*order, index)
            for index in reversed(range(len(layers)))
            if index not in placed
            and waits[index] <= placed
            and (not order or sizes[index][0] == sizes[order[-1]][1])
        ]


def _misfit(layers: Layers, orientation: Orientation) -> tuple[int, str] | None:
    """Return the first layer that doesn't fit and why, or None when all do."""
    before: SourceLayer | None = None
    n_given = 0
    for index, layer in enumerate(layers):
        n_in, n_out = _sizes(layer, orientation)
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


def _explain(
    layers: Layers,
    relations: set[Relation],
    candidates: Sequence[Orientation],
    habit: Orientation | None,
) -> str:
    """Say why no order and orientation fits, for the one that comes farthest."""
    # Each layer stands after all that have to come before it.
    ranks = [sum(second == index for _, second in relations) for index in range(len(layers))]
    usual = _at(layers, sorted(range(len(layers)), key=lambda index: ranks[index]))
    misfits = [
        (misfit, candidate)
        for candidate in sorted(candidates, key=lambda candidate: candidate != habit)
        if (misfit := _misfit(usual, candidate)) is not None
    ]
    if not misfits:
        return f"layers: no order that their names allow fits; {_remedy(usual)}"
    (_, reason), orientation = max(misfits, key=lambda item: item[0][0])
    message = f"layers: read as {orientation}, {reason}"
    for candidate in ORIENTATIONS:
        if candidate not in candidates and _misfit(usual, candidate) is None:
            return f"{message}; they fit as {candidate}"
    for order in islice(_chains(layers, set(), orientation), 1):
        found = _at(layers, order)
        return (
            f"{message}; they fit in the order {titles(found)}, which their names contradict; "
            f"{_remedy(found)}"
        )
    return (
        f"{message}; each layer must take as many inputs as the one before has neurons; "
        f"{_remedy(usual[:2])}"
    )
