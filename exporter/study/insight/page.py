"""Writes the findings up as a page: the template `page.md`, filled with numbers and verdicts."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from exporter.study.insight import ascent, edges, measure, pictures, topology
from exporter.study.insight.findings import CLEARLY, Edges, Findings, Liking, LoopTest

TEMPLATE = Path(__file__).with_name("page.md")

DEGREES = ((0.9, "Yes"), (0.67, "Mostly"), (0.4, "About half"), (0.2, "Some"), (0.0, "No"))
"""What to call the share of neurons that do what was hoped."""

DETECTOR_AREA = 0.9
"""A neuron that told loops this well within a class would be called a loop detector."""

HARDLY = 0.8
"""One that told them worse would not."""

WIDTH = 120
"""Characters in a line of the page."""

SAME = 0.02
"""Areas that differ by less are called equal."""


def render(findings: Findings, folder: str) -> str:
    """Return the page in Markdown; its pictures are in `folder`."""
    n_hidden = len(findings.codes)
    deeper = " (in deeper layers, the product of all weights down to the pixels)"
    page = TEMPLATE.read_text(encoding="utf-8").format(
        folder=folder,
        sizes="-".join(map(str, findings.sizes)),
        accuracy=f"{findings.accuracy:.2%}",
        n_images=f"{findings.n_images:,}",
        n_orientations=edges.N_ORIENTATIONS,
        n_top=pictures.N_TOP,
        n_top_mean=pictures.N_TOP_MEAN,
        n_starts=ascent.N_STARTS,
        n_shuffles=measure.N_SHUFFLES,
        ink_threshold=topology.INK_THRESHOLD,
        composite=deeper if n_hidden > 1 else "",
        verdicts=_verdicts(findings),
        edges=_edges(findings.edges),
        beside=_beside(findings, folder),
        responses="\n\n".join(
            f"![What each neuron of layer {number} responds to]({folder}/layer-{number}.png)"
            for number in range(1, n_hidden + 1)
        ),
        code=_code(findings),
        holes=_holes(findings),
        loops=_loops(findings),
        likings=_likings(findings),
    )
    return "\n\n".join(_wrap(block) for block in page.strip().split("\n\n")) + "\n"


def sees_edges(found: Edges) -> str:
    """Return how many first-layer neurons are clearly like an edge or bar, in a word."""
    return _degree(found.n_clear / len(found.matches))


def sees_loops(findings: Findings) -> str:
    """Return whether neurons tell loops where knowing the digit is of no help, in a word."""
    tests = _within(findings)
    if not tests:
        return "Can't be told"
    best = max(_mean_by_layer(test.neuron_areas for test in tests))
    return "Yes" if best >= DETECTOR_AREA else "Partly" if best >= HARDLY else "No"


def stands_for_one(findings: Findings) -> str:
    """Return how many hidden neurons are bright for a single class, in a word."""
    return _degree(_n_single(findings) / _n_hidden(findings))


def likes_digits(findings: Findings) -> str:
    """Return whether the smooth images that outputs like are as close to real ones as those are."""
    likings = findings.likings
    return "Yes" if _mean(_nearest(likings.smooth)) >= likings.real_nearest - 0.1 else "No"


def _verdicts(findings: Findings) -> str:
    found, tests, likings = findings.edges, _within(findings), findings.likings
    rows = [
        (
            "The first layer sees edges.",
            sees_edges(found),
            f"{found.n_clear} of {len(found.matches)} neurons are clearly more like one edge or "
            f"bar than chance, {found.n_above} at all. The correlation is "
            f"{_mean(found.matches):.2f} in the mean; chance gives {found.mean_chance:.2f}, a "
            f"drawn stroke {found.drawn:.2f}.",
        ),
        (
            "A deeper neuron sees loops.",
            sees_loops(findings),
            "Among images of one class, the best neuron reaches an AUC of "
            f"{max(_mean_by_layer(test.neuron_areas for test in tests)):.2f}, a single pixel "
            f"{_mean(test.pixel_area for test in tests):.2f}, neurons of shuffled weights "
            f"{max(_mean_by_layer(test.chance_areas for test in tests)):.2f}."
            if tests
            else "No class is often drawn both with a loop and without.",
        ),
        (
            "Each neuron stands for one thing.",
            stands_for_one(findings),
            f"{_n_single(findings)} of {_n_hidden(findings)} hidden neurons are bright for a "
            "single class.",
        ),
        (
            "An output likes its digit most.",
            likes_digits(findings),
            "The image that it likes most correlates "
            f"{_mean(_nearest(likings.free)):.2f} with the nearest real one, "
            f"{_mean(_nearest(likings.smooth)):.2f} when made smooth; real images reach "
            f"{likings.real_nearest:.2f} among themselves.",
        ),
    ]
    return _table(
        ("the hope", "found", "by which numbers"),
        [(hope, f"**{verdict}**", numbers) for hope, verdict, numbers in rows],
    )


def _edges(found: Edges) -> str:
    n_neurons, n_bars = len(found.matches), sum(found.bars)
    return (
        f"{found.n_above} of {n_neurons} neurons are more like one edge or bar than chance, "
        f"{found.n_clear} clearly so, by {CLEARLY:g} or more. In the mean the correlation is "
        f"{_mean(found.matches):.2f} (from {min(found.matches):.2f} to {max(found.matches):.2f}), "
        f"that of the scrambled weights {found.mean_chance:.2f}, and a stroke drawn as one would "
        f"wish it reaches {found.drawn:.2f}. Half of the squared weights sit on "
        f"{_mean(found.spreads):.1%} of the pixels, {found.mean_chance_spread:.1%} when scrambled. "
        f"{n_bars} neurons are most like a bar, which is a stroke between two blanks, and "
        f"{n_neurons - n_bars} like an edge. The strongest weight of {sum(found.negatives)} is "
        "negative: ink there puts the neuron out."
    )


def _beside(findings: Findings, folder: str) -> str:
    if not findings.beside:
        return "Other networks of the same shape can be measured beside it, with `--beside`."
    beside, found = findings.beside, findings.beside.edges
    return (
        "Is that so of every such network? Here is another one of "
        f"{'-'.join(map(str, beside.sizes))} neurons, {beside.accuracy:.2%} right on the same "
        f"images. {found.n_above} of its {len(found.matches)} neurons are above chance, "
        f"{found.n_clear} clearly; {_mean(found.matches):.2f} in the mean, chance "
        f"{found.mean_chance:.2f}; half of the squared weights sit on {_mean(found.spreads):.1%} "
        f"of the pixels.{_differences(findings)}\n\n"
        f"![The weights of the other network's first layer]({folder}/beside.png)"
    )


def _differences(findings: Findings) -> str:
    """Say in what the two networks' training differed, as far as their files tell."""
    beside = findings.beside
    if not beside or not (findings.recipe and beside.recipe):
        return ""
    ours, theirs = findings.recipe.split("; "), beside.recipe.split("; ")
    lacks = [part for part in ours if part not in theirs]
    adds = [part for part in theirs if part not in ours]
    parts = [
        f" Its training {how}: {'; '.join(found)}."
        for how, found in (("lacked", lacks), ("had", adds))
        if found
    ]
    return "".join(parts)


def _code(findings: Findings) -> str:
    lines = []
    for number, code in enumerate(findings.codes, start=1):
        losses = np.array(code.losses)
        lines.append(
            f"- Layer {number}: a neuron is bright for {np.median(code.classes):g} of "
            f"{findings.sizes[-1]} classes in the median (nearer to its brightest class than to "
            f"its darkest), {sum(count == 1 for count in code.classes)} of {len(code.classes)} for "
            f"one alone. Held at its mean, which tells the next layer nothing, a neuron costs "
            f"{100 * losses.mean():.1f} points of accuracy in the mean and "
            f"{100 * losses.max():.1f} at most; {np.sum(losses < 0.01)} cost less than one point."
        )
    return "\n".join(lines)


def _holes(findings: Findings) -> str:
    return _table(
        ("", *(holes.label for holes in findings.holes)),
        [
            (name, *(f"{holes.counts[index]:,}" for holes in findings.holes))
            for index, name in enumerate(("no hole", "1 hole", "2 holes", "more"))
        ],
    )


def _loops(findings: Findings) -> str:
    tests = _within(findings)
    if not findings.loops:
        return "No class, nor all images together, has enough images with a loop and without."
    layers = range(1, len(findings.codes) + 1)
    heads = ["images of", "with", "without", "best pixel"]
    heads += [f"{what} {layer}" for what in ("shuffled,", "neuron,") for layer in layers]
    heads += ["all pixels", *(f"layer {layer}" for layer in layers)]
    rows = []
    for test in findings.loops:
        few = min(test.n_with, test.n_without)
        with_errors = [f"{area:.2f} ± {_error(area, few):.2f}" for area in test.neuron_areas]
        rows.append(
            (
                test.subject,
                f"{test.n_with:,}",
                f"{test.n_without:,}",
                f"{test.pixel_area:.2f}",
                *(f"{area:.2f}" for area in test.chance_areas),
                *with_errors,
                f"{test.pixels_area:.2f}",
                *(f"{area:.2f}" for area in test.layer_areas),
            )
        )
    parts = [
        _table(heads, rows),
        "The numbers after the commas are those of the layers; the last columns are linear "
        "read-outs. ± is what the standard error is at most, sqrt(A (1 - A) / n) with n the "
        "smaller group (Birnbaum and Klose, 1957).",
    ]
    if findings.loops[0].subject == "all":
        everything = findings.loops[0]
        parts.append(
            "Over all images, a read-out of the last hidden layer reaches "
            f"{everything.layer_areas[-1]:.2f}. But knowing the label and nothing else gives "
            f"{everything.label_area:.2f}: only within a class does such a number tell of loops."
        )
    if tests:
        pixel = _mean(test.pixel_area for test in tests)
        pixels = _mean(test.pixels_area for test in tests)
        neurons = _mean_by_layer(test.neuron_areas for test in tests)
        whole = _mean_by_layer(test.layer_areas for test in tests)
        parts.append(
            f"Within a class, in the mean of the {len(tests)} that are drawn both ways often "
            f"enough, the best neuron reaches {_listed(neurons)}, "
            f"{_compare(max(neurons), pixel)} the best single pixel ({pixel:.2f}). A read-out "
            f"of a layer reaches {_listed(whole)}, {_compare(max(whole), pixels)} one of the "
            f"pixels ({pixels:.2f})."
        )
    return "\n\n".join(parts)


def _likings(findings: Findings) -> str:
    likings = findings.likings
    rows = [
        (
            free.label,
            f"{real:.1f}",
            f"{free.activation:.3f}",
            f"{free.z:.1f}",
            f"{free.nearest:.2f}",
            f"{smooth.activation:.3f}",
            f"{smooth.z:.1f}",
            f"{smooth.nearest:.2f}",
        )
        for real, free, smooth in zip(
            likings.highest_real_z, likings.free, likings.smooth, strict=True
        )
    ]
    heads = ("output", "highest real z", "free: activation", "z", "nearest")
    table = _table((*heads, "smooth: activation", "z", "nearest"), rows)
    n_outputs = len(rows)
    above = sum(
        free.z > real for free, real in zip(likings.free, likings.highest_real_z, strict=True)
    )
    parts = [
        f"{table}\n\n*Nearest* is the highest correlation with any of the real images; between two "
        f"halves of those it is {likings.real_nearest:.2f} in the mean. {above} of {n_outputs} "
        "outputs like such an image more than every real one."
    ]
    if above > n_outputs / 2:
        parts.append(
            "What the network has learned is to tell digits from each other, not what a digit "
            "looks like."
        )
    if likings.bright_noise > 0.5:
        parts.append("Nor has it learned to tell what is none.")
    parts.append(
        f"Of {measure.N_NOISE:,} images of uniform noise, {likings.bright_noise:.0%} light an "
        f"output above 0.5; most noise is taken for a {likings.noise_label}."
    )
    return " ".join(parts)


def _degree(share: float) -> str:
    return next(word for least, word in DEGREES if share >= least)


def _within(findings: Findings) -> list[LoopTest]:
    """Return the tests among the images of one class."""
    return [test for test in findings.loops if test.subject != "all"]


def _n_single(findings: Findings) -> int:
    return sum(count == 1 for code in findings.codes for count in code.classes)


def _n_hidden(findings: Findings) -> int:
    return sum(len(code.classes) for code in findings.codes)


def _nearest(likings: Iterable[Liking]) -> list[float]:
    return [liking.nearest for liking in likings]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _mean_by_layer(areas: Iterable[Sequence[float]]) -> list[float]:
    return [float(mean) for mean in np.mean(list(areas), axis=0)]


def _error(area: float, n_fewer: int) -> float:
    return math.sqrt(area * (1 - area) / n_fewer)


def _compare(area: float, other: float) -> str:
    if abs(area - other) < SAME:
        return "as much as"
    return "more than" if area > other else "less than"


def _listed(areas: Sequence[float]) -> str:
    return ", ".join(f"{area:.2f} (layer {layer})" for layer, area in enumerate(areas, start=1))


def _wrap(block: str) -> str:
    """Break a paragraph or a list into lines of the page's width; leave all else alone."""
    if block.startswith(("|", "#", "!")):
        return block
    starts = [line.startswith("- ") for line in block.split("\n")]
    items = block.split("\n") if all(starts) else [block]
    return "\n".join(
        textwrap.fill(
            item,
            WIDTH,
            subsequent_indent="  " if all(starts) else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
