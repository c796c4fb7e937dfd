"""Tables of an evaluation, as a terminal of 80 columns shows them."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from exporter import network
from exporter.commands import common
from exporter.study import records, report
from exporter.study.evaluation import Accuracy, Evaluation
from tests.exporter.evaluations import EVALUATION


def shown(evaluation: Evaluation, width: int = 80) -> list[str]:
    file = io.StringIO()
    report.show(evaluation, Console(file=file, width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def row(lines: list[str], *cells: str) -> bool:
    """Tell whether a line consists of these cells."""
    return any(line.split() == " ".join(cells).split() for line in lines)


def test_every_figure_is_shown() -> None:
    lines = shown(EVALUATION)
    assert row(lines, "zero", "90", "100", "90.00% ± 3.00%", "81.82%")
    assert row(lines, "[b]one[/b]", "100", "100", "100.00% ± 0.00%", "90.91%"), (
        "labels are no markup"
    )
    assert row(lines, "t|wo", "0", "20", "0.00% ± 0.00%", "-"), "never answered, so no precision"
    assert row(lines, "all", "190", "220", "86.36% ± 2.31%")
    assert row(lines, "zero", "90", "10", "·"), "confusion"
    assert row(lines, "0.00 to 0.33", "20", "0.250", "0.400", "+0.150")
    assert row(lines, "0.67 to 1.00", "200", "0.912", "0.910", "-0.002")
    assert not any(line.strip().startswith("0.33 to 0.67") for line in lines), "empty"
    assert row(lines, "7", "t|wo", "zero", "0.988")
    assert row(lines, "upside down", "10.00% ± 2.02%", "80.00% ± 2.70%")
    assert row(lines, "clouds", "50", "98.00%", "10.00%")
    assert " ".join(lines).endswith(report.summary(EVALUATION))


def test_summary() -> None:
    error = (3 + abs(182 - 200 * 0.9123456789)) / 220
    assert report.summary(EVALUATION) == (
        "Accuracy on the test images: 86.36% (standard error 2.31%), "
        f"calibration error {error:.2%}, no output above 0.5 for 9.09% of them."
    )


def test_what_was_not_measured_is_left_out() -> None:
    bare = replace(EVALUATION, confidence=None, robustness=None)
    titles = [table.title for table in report.tables(bare)]
    assert titles == ["Classes", "Confusion", "Surest wrong answers"]
    assert "calibration" not in " ".join(shown(bare)).lower()


def test_a_class_without_images() -> None:
    empty = replace(EVALUATION, confusion=((0, 0, 0), (0, 5, 0), (0, 0, 5)))
    assert empty.accuracy == Accuracy((0, 5, 5), (0, 5, 5))
    assert row(shown(empty), "zero", "0", "0", "-", "-")


def test_the_shipped_network_fits_80_columns() -> None:
    recorded = network.load(common.WEIGHTS).evaluation
    assert recorded is not None
    lines = shown(records.decode(recorded))
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line or "too wide" in line]
    assert sum(line.split()[:1] == ["clean"] for line in lines) == 1


@pytest.mark.parametrize("n_classes", [26, 100])
def test_too_many_classes_for_the_terminal(n_classes: int) -> None:
    confusion = tuple(
        tuple(100 * (truth == answer) for answer in range(n_classes)) for truth in range(n_classes)
    )
    labels = tuple(f"class {index}" for index in range(n_classes))
    many = replace(EVALUATION, labels=labels, confusion=confusion, mistakes=())
    lines = shown(many)
    assert "Confusion: too wide for this terminal; see --json and --pictures" in lines
    assert row(lines, "class 25", "100", "100", "100.00% ± 0.00%", "100.00%")
