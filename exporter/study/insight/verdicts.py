"""What became of the hopes for each layer: a verdict each, and the numbers it follows from."""

from collections.abc import Iterable, Sequence

import numpy as np

from exporter.study.insight.findings import Edges, Findings
from exporter.study.markdown import table

DEGREES = ((0.9, "Yes"), (0.67, "Mostly"), (0.4, "About half"), (0.2, "Some"), (0.0, "No"))
"""What to call the share of neurons that do what was hoped."""

DETECTOR_AREA = 0.9
"""A neuron that separates loops this well within a class would be a loop detector."""

MIN_AREA = 0.8
"""One that separates them worse would not."""


def sees_edges(edges: Edges) -> str:
    """Return how many first-layer neurons are clearly like an edge or bar, in a word."""
    return _degree(edges.n_clear / len(edges.matches))


def sees_loops(findings: Findings) -> str:
    """Return whether neurons detect loops where knowing the digit is of no help, in a word."""
    tests = findings.class_loops
    if not tests:
        return "Undecided"
    best = max(mean_by_layer(test.neuron_areas for test in tests))
    return "Yes" if best >= DETECTOR_AREA else "Partly" if best >= MIN_AREA else "No"


def stands_for_one(findings: Findings) -> str:
    """Return how many hidden neurons are bright for a single class, in a word."""
    counts = _class_counts(findings)
    return _degree(counts.count(1) / len(counts))


def prefers_digits(findings: Findings) -> str:
    """Return whether smooth preferred inputs are about as close to real images as those are."""
    preferred = findings.preferred
    reached = mean(each.correlation for each in preferred.smooth)
    return "Yes" if reached >= preferred.real_correlation - 0.1 else "No"


def verdicts(findings: Findings) -> str:
    """Return the table of hopes, verdicts and numbers."""
    edges, tests, preferred = findings.edges, findings.class_loops, findings.preferred
    counts = _class_counts(findings)
    rows = [
        (
            "The first layer sees edges.",
            sees_edges(edges),
            f"{edges.n_clear} of {len(edges.matches)} neurons are clearly more like one edge or "
            f"bar than chance, {edges.n_above} at all. The correlation is "
            f"{mean(edges.matches):.2f} on average; chance gives {edges.mean_chance:.2f}, a "
            f"drawn stroke {edges.drawn:.2f}.",
        ),
        (
            "A deeper neuron sees loops.",
            sees_loops(findings),
            "Among images of one class, the best neuron reaches an AUC of "
            f"{max(mean_by_layer(test.neuron_areas for test in tests)):.2f}, a single pixel "
            f"{mean(test.pixel_area for test in tests):.2f}, neurons of shuffled weights "
            f"{max(mean_by_layer(test.chance_areas for test in tests)):.2f}."
            if tests
            else "No class is often drawn both with a loop and without.",
        ),
        (
            "Each neuron stands for one thing.",
            stands_for_one(findings),
            f"{counts.count(1)} of {len(counts)} hidden neurons are bright for a single class.",
        ),
        (
            "An output's preferred input is its digit.",
            prefers_digits(findings),
            "The image that activates it most correlates "
            f"{mean(each.correlation for each in preferred.unpenalised):.2f} with the most similar "
            f"real one, {mean(each.correlation for each in preferred.smooth):.2f} when made "
            f"smooth; real images reach {preferred.real_correlation:.2f} among themselves.",
        ),
    ]
    return table(
        ("the hope", "verdict", "by which numbers"),
        [(hope, f"**{verdict}**", numbers) for hope, verdict, numbers in rows],
    )


def _degree(share: float) -> str:
    return next(word for least, word in DEGREES if share >= least)


def _class_counts(findings: Findings) -> list[int]:
    """Return for how many classes each hidden neuron is bright."""
    return [count for code in findings.codes for count in code.classes]


def mean(values: Iterable[float]) -> float:
    """Return the mean of any numbers."""
    return float(np.mean(list(values)))


def mean_by_layer(areas: Iterable[Sequence[float]]) -> list[float]:
    """Return the mean of each layer's areas over tests."""
    return [float(area) for area in np.mean(list(areas), axis=0)]
