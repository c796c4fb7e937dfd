"""Looks into a network on labelled images: every number, and the arrays that pictures show."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical.squares import NotSquare, side_of
from exporter.network.network import Batch, Network, NetworkError
from exporter.study import evaluation
from exporter.study.insight import ablation, ascent, edges, loops, responses, topology
from exporter.study.insight.ascent import Penalty
from exporter.study.insight.edges import Matches
from exporter.study.insight.findings import (
    Beside,
    Code,
    Edges,
    Findings,
    Holes,
    LoopTest,
    Numbers,
    PreferredInput,
    PreferredInputs,
)
from exporter.study.robustness import says_probabilities
from exporter.training.calibration import BRIGHT
from exporter.training.mnist import Labels

N_MEASURED = 10_000
"""The last images, which training keeps for validation: all is measured on them."""

N_CHOSEN = 20_000
"""The images before them, on which the best neuron is chosen and read-outs are fitted."""

SMOOTH = Penalty(roughness=100.0, ink=20.0)

N_SCRAMBLES = 100
"""Of each neuron's weights; fewer when a layer has more neurons than 32, but 20 at least."""

MAX_SCRAMBLES = 3_200
MIN_SCRAMBLES = 20

N_SHUFFLES = 20
N_NOISE = 2_000
SEED = 0

MIN_GROUP = 50
"""Images with a loop, and without, that a class must have to be asked about."""

STAGES = ("preferred inputs", "holes", "edges", "code", "loops")
"""What `look` reports when it begins with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Insight:
    """The findings, and what they were found on.

    `images` (N, pixels), `labels` (N,), `holes` (N,) and each layer's `activations` (N, neurons)
    are those measured on; `matches` are the first layer's; `unpenalised` and `smooth`
    (classes, pixels) are the outputs' preferred inputs.
    """

    findings: Findings
    images: Batch
    labels: Labels
    holes: topology.Counts
    activations: list[Batch]
    matches: Matches
    unpenalised: Batch
    smooth: Batch


def look(
    network: Network,
    images: Batch,
    labels: Labels,
    *,
    report: Callable[[str], None] | None = None,
) -> Insight:
    """Look into a network with hidden layers, on square images (N, pixels) and labels (N,).

    The last third of the images, but 10,000 at most, is what all is measured on: of a training
    set, what training keeps for validation. `report` gets each of STAGES. All chance comes from a
    fixed seed. Raises NetworkError for a network that can't be looked into, EvaluationError for
    too few images or ones that don't fit it.
    """
    tell = report or (lambda _: None)
    try:
        side_of(network.layers[0].weights)
    except NotSquare as error:
        raise NetworkError(
            f"images: {network.n_inputs} pixels each are no square image; look into a network of "
            "square images, such as 28x28 = 784 pixels"
        ) from error
    if len(network.layers) < 2:
        raise NetworkError("layers: 1, wanted a hidden layer to look into besides the output")
    n_measured = min(N_MEASURED, len(images) // 3)
    if n_measured < len(network.labels):
        raise evaluation.EvaluationError(
            f"images: {len(images)}, wanted at least {3 * len(network.labels)}, 3 for each class"
        )
    images, labels = images[-N_CHOSEN - n_measured :], labels[-N_CHOSEN - n_measured :]
    shown, shown_labels = images[-n_measured:], labels[-n_measured:]
    accuracy = evaluation.accuracy(network, shown, shown_labels).overall
    generator = np.random.default_rng(SEED)

    tell("preferred inputs")
    smooth = ascent.preferred_images(network, SMOOTH, generator)
    unpenalised = ascent.preferred_images(network, Penalty(), generator, first=smooth)
    tell("holes")
    holes = topology.count_holes(images)
    tell("edges")
    matches, found_edges = measure_edges(network)
    tell("code")
    activations = network.forward(shown)
    codes = _codes(network, shown, shown_labels, activations)
    tell("loops")
    tests = _loop_tests(network, images, labels, holes > 0, n_measured, generator)
    findings = Findings(
        sizes=network.sizes,
        n_images=n_measured,
        accuracy=accuracy,
        edges=found_edges,
        codes=codes,
        holes=_holes(network.labels, holes[-n_measured:], shown_labels),
        loops=tests,
        preferred=_preferred_inputs(network, shown, unpenalised, smooth, generator),
    )
    shown_holes = holes[-n_measured:]
    return Insight(
        findings, shown, shown_labels, shown_holes, activations, matches, unpenalised, smooth
    )


def compare(other: Network, insight: Insight, recipe: str) -> Beside:
    """Return what there is to say of another network, measured on the same images.

    Raises NetworkError and EvaluationError when they don't fit it.
    """
    accuracy = evaluation.accuracy(other, insight.images, insight.labels).overall
    return Beside(other.sizes, accuracy, measure_edges(other)[1], recipe)


def measure_edges(network: Network) -> tuple[Matches, Edges]:
    """Return the first layer's matches with edges and bars, and their numbers.

    Raises canonical.NotSquare for images that aren't square.
    """
    weights, generator = network.layers[0].weights, np.random.default_rng(SEED)
    matches = edges.best_matches(weights)
    count = min(N_SCRAMBLES, max(MIN_SCRAMBLES, MAX_SCRAMBLES // len(weights)))
    scrambled = np.concatenate([edges.scramble(weights, generator) for _ in range(count)])
    chance = edges.best_matches(scrambled).correlations
    drawn = edges.draw_stroke(side_of(weights))
    return matches, Edges(
        matches=_numbers(matches.correlations),
        bars=tuple((~matches.are_edges).tolist()),
        negatives=tuple(bool(row[np.abs(row).argmax()] < 0) for row in weights),
        chance=_numbers(np.quantile(chance.reshape(count, -1), 0.95, axis=0)),
        spreads=_numbers(edges.spread(weights)),
        mean_chance=_number(chance.mean()),
        mean_chance_spread=_number(edges.spread(scrambled).mean()),
        drawn=_number(edges.best_matches(drawn).correlations[0]),
    )


def _codes(
    network: Network, images: Batch, labels: Labels, activations: list[Batch]
) -> tuple[Code, ...]:
    losses = ablation.accuracy_losses(network, images, labels)
    codes = []
    for layer, lost in zip(activations[:-1], losses, strict=True):
        means = responses.class_means(layer, labels, len(network.labels))
        classes = responses.classes_per_neuron(means).tolist()
        codes.append(Code(tuple(classes), _numbers(lost)))
    return tuple(codes)


def _holes(names: tuple[str, ...], holes: topology.Counts, labels: Labels) -> tuple[Holes, ...]:
    # An island within a hole takes one away, so noise may have fewer than none.
    capped = [np.clip(holes[labels == index], 0, 3) for index in range(len(names))]
    counts = [tuple(np.bincount(each, minlength=4).tolist()) for each in capped]
    return tuple(map(Holes, names, counts))


def _loop_tests(
    network: Network,
    images: Batch,
    labels: Labels,
    flags: loops.Flags,
    n_measured: int,
    generator: np.random.Generator,
) -> tuple[LoopTest, ...]:
    """Ask about all images, then about each class that is drawn both ways often enough."""
    hidden = network.forward(images)[:-1]
    controls = [loops.shuffle(network, generator).forward(images)[:-1] for _ in range(N_SHUFFLES)]
    known_labels = np.eye(len(network.labels), dtype=np.float32)[labels]
    measured = np.arange(len(labels)) >= len(labels) - n_measured
    members = {"all": np.ones(len(labels), np.bool_)}
    members |= {name: labels == index for index, name in enumerate(network.labels)}
    tests = []
    for subject, chosen in members.items():
        question = loops.Question(flags, chosen & ~measured, chosen & measured)
        if min(question.group_sizes()) < MIN_GROUP:
            continue
        best = [loops.best_column(layer, question) for layer in hidden]
        chance = [[loops.best_column(each, question)[1] for each in layers] for layers in controls]
        tests.append(
            LoopTest(
                subject=subject,
                n_with=question.group_sizes()[2],
                n_without=question.group_sizes()[3],
                neurons=tuple(column + 1 for column, _ in best),
                neuron_areas=_numbers(area for _, area in best),
                chance_areas=_numbers(np.mean(chance, axis=0)),
                pixel_area=_number(loops.best_column(images, question)[1]),
                layer_areas=_numbers(loops.read_out(layer, question) for layer in hidden),
                pixels_area=_number(loops.read_out(images, question)),
                label_area=_number(loops.read_out(known_labels, question)),
            )
        )
    return tuple(tests)


def _preferred_inputs(
    network: Network,
    images: Batch,
    unpenalised: Batch,
    smooth: Batch,
    generator: np.random.Generator,
) -> PreferredInputs:
    outputs = np.eye(len(network.labels), dtype=np.float32)
    real = edges.normalize(images)

    def describe(preferred: Batch) -> tuple[PreferredInput, ...]:
        activations = network.forward(preferred)[-1]
        z = ascent.z_and_gradient(network, preferred, outputs)[0]
        correlations = (edges.normalize(preferred) @ real.T).max(axis=1)
        return tuple(
            PreferredInput(
                label=label,
                activation=_number(activations[index, index]),
                z=_number(z[index]),
                correlation=_number(correlations[index]),
                answer=network.labels[int(activations[index].argmax())],
            )
            for index, label in enumerate(network.labels)
        )

    highest = [
        ascent.z_and_gradient(network, images, np.broadcast_to(row, (len(images), len(row))))[0]
        for row in outputs
    ]
    half = len(real) // 2
    noise = generator.random((N_NOISE, network.n_inputs), dtype=np.float32)
    on_noise = network.forward(noise)[-1]
    taken_for = np.bincount(on_noise.argmax(axis=1), minlength=len(outputs))
    return PreferredInputs(
        unpenalised=describe(unpenalised),
        smooth=describe(smooth),
        highest_real_z=_numbers(np.max(highest, axis=1)),
        real_correlation=_number((real[:half] @ real[half:].T).max(axis=1).mean()),
        bright_noise=(
            _number(np.mean(on_noise.max(axis=1) > BRIGHT)) if says_probabilities(network) else None
        ),
        noise_label=network.labels[int(taken_for.argmax())],
    )


def _number(value: float | np.floating[npt.NBitBase]) -> float:
    """Round to what is worth telling, so that the file is short."""
    return round(float(value), 4)


def _numbers(values: Iterable[float]) -> Numbers:
    return tuple(_number(value) for value in values)
