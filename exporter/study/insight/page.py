"""Writes the findings up as a page: the template `page.md`, filled with numbers and verdicts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from exporter.study.evaluation import standard_error
from exporter.study.insight import ascent, edges, figures, measure, topology
from exporter.study.insight.findings import CLEARLY, Edges, Findings
from exporter.study.insight.verdicts import mean, mean_by_layer, verdicts
from exporter.study.markdown import table, wrap
from exporter.study.palette import SAFE, Palette

TEMPLATE = Path(__file__).with_name("page.md")

SAME = 0.02
"""Areas that differ by less are called equal."""


def render(findings: Findings, folder: str, palette: Palette = SAFE) -> str:
    """Return the page in Markdown; its pictures are in `folder`, in the palette's colours."""
    n_hidden = len(findings.codes)
    deeper = " (in deeper layers, the product of all weights down to the pixels)"
    page = TEMPLATE.read_text(encoding="utf-8").format(
        folder=folder,
        positive=palette.positive_name,
        negative=palette.negative_name,
        sizes="-".join(map(str, findings.sizes)),
        accuracy=f"{findings.accuracy:.2%}",
        n_images=f"{findings.n_images:,}",
        n_orientations=edges.N_ORIENTATIONS,
        n_top=figures.N_TOP,
        n_top_mean=figures.N_TOP_MEAN,
        n_starts=ascent.N_STARTS,
        n_shuffles=measure.N_SHUFFLES,
        ink_threshold=topology.INK_THRESHOLD,
        composite=deeper if n_hidden > 1 else "",
        verdicts=verdicts(findings),
        edges=_edges(findings.edges),
        beside=_beside(findings, folder),
        responses="\n\n".join(
            f"![What each neuron of layer {number} responds to]({folder}/layer-{number}.png)"
            for number in range(1, n_hidden + 1)
        ),
        code=_code(findings),
        holes=_holes(findings),
        loops=_loops(findings),
        preferred=_preferred(findings),
    )
    return "\n\n".join(wrap(block) for block in page.strip().split("\n\n")) + "\n"


def _edges(layer: Edges) -> str:
    n_neurons, n_bars = len(layer.matches), sum(layer.bars)
    return (
        f"{layer.n_above} of {n_neurons} neurons are more like one edge or bar than chance, "
        f"{layer.n_clear} clearly so, by {CLEARLY:g} or more. On average the correlation is "
        f"{mean(layer.matches):.2f} (from {min(layer.matches):.2f} to {max(layer.matches):.2f}), "
        f"that of the scrambled weights {layer.mean_chance:.2f}, and a stroke drawn as one would "
        f"wish it to be reaches {layer.drawn:.2f}. Half of the squared weights sit on "
        f"{mean(layer.spreads):.1%} of the pixels, {layer.mean_chance_spread:.1%} when scrambled. "
        f"{n_bars} neurons are most like a bar, which is a stroke between two blanks, and "
        f"{n_neurons - n_bars} like an edge. The strongest weight of {sum(layer.negatives)} is "
        "negative: ink there makes the neuron darker."
    )


def _beside(findings: Findings, folder: str) -> str:
    if not findings.beside:
        return "Another network can be compared with it by `--beside FILE`."
    beside, layer = findings.beside, findings.beside.edges
    return (
        "Is that so of every such network? Here is another one of "
        f"{'-'.join(map(str, beside.sizes))} neurons, {beside.accuracy:.2%} right on the same "
        f"images. {layer.n_above} of its {len(layer.matches)} neurons are above chance, "
        f"{layer.n_clear} clearly; {mean(layer.matches):.2f} on average, chance "
        f"{layer.mean_chance:.2f}; half of the squared weights sit on {mean(layer.spreads):.1%} "
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
    return "".join(
        f" Its training {how}: {'; '.join(differing)}."
        for how, differing in (("lacked", lacks), ("had", adds))
        if differing
    )


def _code(findings: Findings) -> str:
    lines = []
    for number, code in enumerate(findings.codes, start=1):
        losses = np.array(code.losses)
        lines.append(
            f"- Layer {number}: a neuron is bright for {np.median(code.classes):g} of "
            f"{findings.sizes[-1]} classes in the median (nearer to its brightest class than to "
            f"its darkest), {sum(count == 1 for count in code.classes)} of {len(code.classes)} for "
            f"one alone. Held at its mean, which tells the next layer nothing, a neuron costs "
            f"{100 * losses.mean():.1f} points of accuracy on average and "
            f"{100 * losses.max():.1f} at most; {np.sum(losses < 0.01)} cost less than one point."
        )
    return "\n".join(lines)


def _holes(findings: Findings) -> str:
    return table(
        ("", *(holes.label for holes in findings.holes)),
        [
            (name, *(f"{holes.counts[index]:,}" for holes in findings.holes))
            for index, name in enumerate(("no hole", "1 hole", "2 holes", "more"))
        ],
    )


def _loops(findings: Findings) -> str:
    tests = findings.class_loops
    if not findings.loops:
        return "No class, nor all images together, has enough images with a loop and without."
    layers = range(1, len(findings.codes) + 1)
    heads = ["images of", "with", "without", "best pixel"]
    heads += [f"{what} {layer}" for what in ("shuffled,", "neuron,") for layer in layers]
    heads += ["all pixels", *(f"layer {layer}" for layer in layers)]
    rows = []
    for test in findings.loops:
        few = min(test.n_with, test.n_without)
        rows.append(
            (
                test.subject,
                f"{test.n_with:,}",
                f"{test.n_without:,}",
                f"{test.pixel_area:.2f}",
                *(f"{area:.2f}" for area in test.chance_areas),
                *(f"{area:.2f} ± {standard_error(area, few):.2f}" for area in test.neuron_areas),
                f"{test.pixels_area:.2f}",
                *(f"{area:.2f}" for area in test.layer_areas),
            )
        )
    parts = [
        table(heads, rows),
        "The numbers after the commas are those of the layers; the last columns are linear "
        "read-outs. ± is what the standard error is at most, sqrt(A (1 - A) / n) with n the "
        "smaller group (Birnbaum and Klose, 1957).",
    ]
    if findings.loops[0].subject == "all":
        everything = findings.loops[0]
        parts.append(
            "Over all images, a read-out of the last hidden layer reaches "
            f"{everything.layer_areas[-1]:.2f}. But knowing the label and nothing else gives "
            f"{everything.label_area:.2f}: only within a class does such a number speak of loops."
        )
    if tests:
        pixel = mean(test.pixel_area for test in tests)
        pixels = mean(test.pixels_area for test in tests)
        neurons = mean_by_layer(test.neuron_areas for test in tests)
        whole = mean_by_layer(test.layer_areas for test in tests)
        parts.append(
            f"Within a class, averaged over the {len(tests)} that are drawn both ways often "
            f"enough, the best neuron reaches {_listed(neurons)}, "
            f"{_compare(max(neurons), pixel)} the best single pixel ({pixel:.2f}). A read-out "
            f"of a layer reaches {_listed(whole)}, {_compare(max(whole), pixels)} one of the "
            f"pixels ({pixels:.2f})."
        )
    return "\n\n".join(parts)


def _preferred(findings: Findings) -> str:
    inputs = findings.preferred
    rows, above = [], 0
    for real, *found in zip(inputs.highest_real_z, inputs.unpenalised, inputs.smooth, strict=True):
        cells = [found[0].label, f"{real:.1f}"]
        for each in found:
            cells += [f"{each.activation:.3f}", f"{each.z:.1f}", f"{each.correlation:.2f}"]
        rows.append(cells)
        above += found[0].z > real
    heads = ("output", "highest real z", "free: activation", "z", "correlation")
    n_outputs = len(rows)
    parts = [
        f"{table((*heads, 'smooth: activation', 'z', 'correlation'), rows)}\n\n"
        "*Correlation* is the highest with any of the real images; between two halves of those it "
        f"is {inputs.real_correlation:.2f} on average. {above} of {n_outputs} outputs are "
        "activated more by such an image than by every real one."
    ]
    if above > n_outputs / 2:
        parts.append(
            "What the network has learned is to tell digits from each other, not what a digit "
            "looks like."
        )
    if inputs.bright_noise is None:
        parts.append(f"Most images of uniform noise are labelled {inputs.noise_label}.")
        return " ".join(parts)
    if inputs.bright_noise > 0.5:
        parts.append("Nor has it learned to recognise images of no class.")
    parts.append(
        f"Of {measure.N_NOISE:,} images of uniform noise, {inputs.bright_noise:.0%} light an "
        f"output above 0.5; most noise is labelled {inputs.noise_label}."
    )
    return " ".join(parts)


def _compare(area: float, other: float) -> str:
    if abs(area - other) < SAME:
        return "as much as"
    return "more than" if area > other else "less than"


def _listed(areas: Sequence[float]) -> str:
    return ", ".join(f"{area:.2f} (layer {layer})" for layer, area in enumerate(areas, start=1))
