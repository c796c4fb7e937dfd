"""The numbers that looking inside gives, and what they are called."""

import dataclasses
import json
from dataclasses import dataclass

CLEARLY = 0.1
"""A correlation that is better than chance by this is clearly so."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Edges:
    """How much each first-layer neuron's weights are like one oriented edge or bar.

    `matches` and `bars` (true for a bar, false for an edge) are of each neuron's best filter,
    `chance` the 95th percentile of the same for its scrambled weights. `negatives` tells whose
    strongest weight is below 0. `spreads` are the shares of pixels that hold half of the squared
    weights. `mean_chance` and `mean_chance_spread` are over all scrambled weights; `drawn` is the
    match of a drawn stroke.
    """

    matches: Numbers
    bars: tuple[bool, ...]
    negatives: tuple[bool, ...]
    chance: Numbers
    spreads: Numbers
    mean_chance: float
    mean_chance_spread: float
    drawn: float

    @property
    def n_above(self) -> int:
        """Neurons whose match is better than 95% of their scrambled weights'."""
        return self._count(0.0)

    @property
    def n_clear(self) -> int:
        """Neurons whose match is better than that by 0.1 at least."""
        return self._count(CLEARLY)

    def _count(self, margin: float) -> int:
        pairs = zip(self.matches, self.chance, strict=True)
        return sum(match > chance + margin for match, chance in pairs)


@dataclass(frozen=True, slots=True)
class Code:
    """What each neuron of one hidden layer stands for.

    `classes` is for how many classes it is bright, `losses` the accuracy lost without it.
    """

    classes: tuple[int, ...]
    losses: Numbers


@dataclass(frozen=True, slots=True)
class LoopTest:
    """How well loops are told among the images of one class, or of all.

    `subject` is the class's label, or `all`. Areas under the ROC curve: `neuron_areas` of the best
    neuron of each hidden layer (`neurons`, counted from 1), `chance_areas` of the best one in
    shuffled networks, their mean; `pixel_area` of the best single pixel; `layer_areas` and
    `pixels_area` of linear read-outs of each hidden layer and of all pixels; `label_area` of
    knowing the class and nothing else.
    """

    subject: str
    n_with: int
    n_without: int
    neurons: tuple[int, ...]
    neuron_areas: Numbers
    chance_areas: Numbers
    pixel_area: float
    layer_areas: Numbers
    pixels_area: float
    label_area: float


@dataclass(frozen=True, slots=True)
class Holes:
    """Images of one class by the number of holes in their ink: 0, 1, 2, and more."""

    label: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PreferredInput:
    """The image that activates an output most, with a penalty or without.

    `activation` is the output's, `z` what goes into it, `correlation` the image's highest with a
    real one, `answer` the label that the network gives it.
    """

    label: str
    activation: float
    z: float
    correlation: float
    answer: str


@dataclass(frozen=True, slots=True)
class PreferredInputs:
    """The outputs' preferred inputs, without a penalty and smooth, beside real ones and noise.

    `highest_real_z` is the highest that a real image gives each output, `real_correlation` the mean
    of what real images reach among themselves; `bright_noise` the share of images of uniform noise
    with an output above 0.5, None when outputs are no probabilities, `noise_label` what most of
    them are taken for.
    """

    unpenalised: tuple[PreferredInput, ...]
    smooth: tuple[PreferredInput, ...]
    highest_real_z: Numbers
    real_correlation: float
    bright_noise: float | None
    noise_label: str


@dataclass(frozen=True, slots=True)
class Beside:
    """Another network to compare with: its sizes, accuracy, edges, and how it was trained."""

    sizes: tuple[int, ...]
    accuracy: float
    edges: Edges
    recipe: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All numbers, of one network on `n_images` images; `recipe` tells how it was trained."""

    sizes: tuple[int, ...]
    n_images: int
    accuracy: float
    edges: Edges
    codes: tuple[Code, ...]
    holes: tuple[Holes, ...]
    loops: tuple[LoopTest, ...]
    preferred: PreferredInputs
    recipe: str = ""
    beside: Beside | None = None

    @property
    def class_loops(self) -> tuple[LoopTest, ...]:
        """The tests among the images of one class."""
        return tuple(test for test in self.loops if test.subject != "all")


def to_json(findings: Findings) -> str:
    """Return the findings as JSON, numbers as they are."""
    return json.dumps(dataclasses.asdict(findings), indent=1) + "\n"
