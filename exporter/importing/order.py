"""What layers' names say of their order, and which of them speak of more than one network."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from exporter.importing.names import INPUT, OUTPUT, Component
from exporter.importing.source import SourceLayer
from exporter.network.weights_file import WeightsError

_NETWORKS = (
    "actor critic policy value pi vf qf decoder generator discriminator teacher student target "
    "online ema swa average averaged shadow left right tower siamese anchor prior posterior sender "
    "receiver speaker listener wide aux auxiliary mu sigma logvar variance advantage reward "
    "dynamics inverse"
)
NETWORKS = frozenset(_NETWORKS.split())
"""Words of networks, or parts of one, that stand beside whatever else there is."""

_LISTS = (
    "heads towers branches streams tasks members estimators models nets networks agents replicas "
    "folds views learners clients actors critics"
)
LISTS = frozenset(_LISTS.split())
"""Words of lists whose elements stand beside each other."""

_COPIES = "head branch stream task member estimator ensemble agent replica fold view learner q copy"
COPIES = NETWORKS | LISTS | frozenset(_COPIES.split())
"""Words of what stands beside each other when numbers tell one from the other, as in head1."""

WHOLE = frozenset({"net", "network", "model", "mlp", "nn", "dnn"})
"""Words of networks, which have several layers each, such as net1.0 and net1.2."""

Relation = tuple[int, int]
"""The first layer's index stands before the second's."""


def precedence(layers: Sequence[SourceLayer]) -> set[Relation]:
    """Return which layers' names say that they stand before which others.

    Numbers count, then words such as in, encoder and head, and then the order in which the layers
    are listed, unless it is that of the alphabet. Layers without a stem are in order. Raises
    WeightsError when names speak of networks that don't follow each other.
    """
    relations: set[Relation] = set()
    for before, after in _pairs(layers, list(range(len(layers))), 0):
        relations |= {(first, second) for first in before for second in after}
    titles = [layer.title for layer in layers]
    if titles != sorted(titles) and all(first < second for first, second in relations):
        relations |= set(combinations(range(len(layers)), 2))
    return relations


def _pairs(
    layers: Sequence[SourceLayer], indices: list[int], depth: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield groups of layers with the same path up to a depth, and those that come after them."""
    by_words: dict[tuple[str, ...] | None, dict[Component | None, list[int]]] = {}
    for index in indices:
        stem = layers[index].stem
        part = stem[depth] if depth < len(stem) else None
        by_words.setdefault(part.words if part else None, {}).setdefault(part, []).append(index)
    yield from _between(layers, by_words)
    for words, groups in by_words.items():
        if words is None:
            # Nothing tells these apart.
            yield from (([first], [second]) for first, second in combinations(indices, 2))
            continue
        ordered = sorted(
            ((part, its) for part, its in groups.items() if part), key=lambda item: item[0].numbers
        )
        _check_copies(layers, ordered, depth)
        for (_, first), (_, second) in combinations(ordered, 2):
            yield first, second
        for _, group in ordered:
            if len(group) > 1:
                yield from _pairs(layers, group, depth + 1)


def _between(
    layers: Sequence[SourceLayer],
    by_words: Mapping[tuple[str, ...] | None, Mapping[Component | None, list[int]]],
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield groups with different words, the one that comes first before the other."""
    members = {
        words: [index for group in groups.values() for index in group]
        for words, groups in by_words.items()
    }
    for first, second in combinations(by_words, 2):
        both = members[first], members[second]
        if first is None or second is None:
            # One layer's path is the beginning of another's: fc and fc.out.
            if min(map(len, both)) > 1:
                raise _separate(layers, both)
            continue
        places = [Component(words, ()).place for words in (first, second)]
        is_apart = bool(NETWORKS.intersection((*first, *second)))
        is_double = places[0] == places[1] and places[0] in (INPUT, OUTPUT)
        if is_apart or is_double:
            raise _separate(layers, both)
        if None not in places and places[0] != places[1]:
            yield both if (places[0] or 0) < (places[1] or 0) else both[::-1]
        elif min(map(len, both)) > 1:
            raise _separate(layers, both)


def _check_copies(
    layers: Sequence[SourceLayer],
    groups: Sequence[tuple[Component, list[int]]],
    depth: int,
) -> None:
    """Raise WeightsError when numbers tell networks apart, such as towers, and not layers."""
    if len(groups) < 2:
        return
    part, indices = groups[0]
    own, words = bool(part.words), part.words
    if not own and depth:
        words = layers[indices[0]].stem[depth - 1].words
    are_stacks = all(len(group) > 1 for _, group in groups)
    is_odd = Component(words, ()).place is None or bool(COPIES.intersection(words))
    if (
        (COPIES if own else LISTS).intersection(words)
        or (are_stacks and is_odd)
        or (are_stacks and own and WHOLE.intersection(words))
    ):
        raise _separate(layers, [group for _, group in groups])


def _separate(layers: Sequence[SourceLayer], groups: Sequence[Sequence[int]]) -> WeightsError:
    """Return the error that names speak of more than one network."""
    told = "; ".join(", ".join(layers[index].title for index in group) for group in groups)
    return WeightsError(
        f"layers: their names suggest parts that need not follow each other: {told}"
    )
