"""The model card says what the weights file says, and what it says is what is measured today."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from exporter import network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.network.weights_file import Saved
from exporter.study import charts, evaluation, model_card, records, robustness
from exporter.study.evaluation import Evaluation, EvaluationError
from exporter.training.mnist import Labels
from harness.networks import random_network
from harness.server_process import ROOT
from tests.exporter.evaluations import EVALUATION

CARD = ROOT / "docs" / "model-card.md"
AGAIN = (
    "run `.venv/bin/python -m exporter evaluate --data tests/data --record --pictures "
    "docs/model-card`, then `.venv/bin/python -m exporter card --output docs/model-card.md`"
)
SHIPPED = network.load(common.WEIGHTS)


def recorded() -> Evaluation:
    assert SHIPPED.evaluation is not None
    return records.decode(SHIPPED.evaluation)


def saved(measured: Evaluation, sizes: tuple[int, ...] = (784, 4, 3)) -> Saved:
    made = replace(random_network(sizes), labels=EVALUATION.labels)
    return Saved(made, {}, None, records.encode(measured))


def test_the_card_in_the_documents_is_current() -> None:
    assert CARD.read_text() == model_card.write("digits", SHIPPED, "model-card"), AGAIN


def test_its_pictures_are_there_and_of_the_same_evaluation() -> None:
    links = re.findall(r"!\[.+?\]\((.+?)\)", CARD.read_text())
    assert sorted(links) == sorted(
        f"model-card/{path.name}" for path in CARD.with_suffix("").iterdir()
    )
    for link in links:
        with Image.open(CARD.parent / link) as picture:
            assert picture.info["Description"] == charts.fingerprint(recorded()), AGAIN


def test_its_figures_are_those_measured_now(digits: tuple[Batch, Labels]) -> None:
    found, wanted = evaluation.measure(SHIPPED.network, *digits, "test"), recorded()
    # Another machine adds up in another order, which may turn an answer that hung in the balance.
    assert np.abs(np.subtract(found.confusion, wanted.confusion)).sum() <= 4, AGAIN
    assert found.confidence is not None
    assert wanted.confidence is not None
    assert found.confidence.calibration_error == pytest.approx(
        wanted.confidence.calibration_error, abs=1e-4
    )
    assert abs(found.confidence.without_bright_output - wanted.confidence.without_bright_output) < 3
    assert {one.image for one in found.mistakes[:-2]} <= {one.image for one in wanted.mistakes}


def test_its_robustness_is_that_measured_now(digits: tuple[Batch, Labels]) -> None:
    rows = recorded().robustness
    assert rows is not None
    for now, then in zip(
        robustness.distorted(SHIPPED.network, *digits, SHIPPED.image_layout),
        rows.distorted,
        strict=True,
    ):
        assert (now.distortion, now.images) == (then.distortion, then.images), AGAIN
        assert abs(now.correct - then.correct) <= 5, f"{now.distortion}: {AGAIN}"
        assert abs(now.canonical_correct - then.canonical_correct) <= 5, f"{now}: {AGAIN}"
    for kind, before in zip(
        robustness.out_of_distribution(SHIPPED.network, *digits, SHIPPED.image_layout),
        rows.out_of_distribution,
        strict=True,
    ):
        assert (kind.kind, kind.images) == (before.kind, before.images), AGAIN
        assert abs(kind.bright - before.bright) <= 5, f"{kind}: {AGAIN}"
        assert abs(kind.canonical_bright - before.canonical_bright) <= 5, f"{kind}: {AGAIN}"


def test_what_was_promised_of_the_shipped_network() -> None:
    measured = recorded()
    assert measured.accuracy.overall >= 0.972
    assert measured.confidence is not None
    assert measured.confidence.calibration_error <= 0.015
    assert measured.confidence.without_bright_output <= 0.03 * measured.accuracy.n_images


def test_figures_stand_in_the_card() -> None:
    card = model_card.write("some", saved(EVALUATION), "pictures")
    assert "It gets 86.36% of 220 test images" in card
    assert "| zero | 100 | 90.00% ± 3.00% | 81.82% |" in card
    assert "| t&#124;wo | 20 | 0.00% ± 0.00% | - |" in card
    assert "it mistakes t|wo for zero (20), zero for [b]one[/b] (10)." in card
    assert "| **zero** | 90 | 10 |  |" in card
    assert "of 20 with a brightest output of 0.25 on average, 40.00% are right" in " ".join(
        card.split()
    )
    assert "| upside down | 10.00% ± 2.02% | 80.00% ± 2.70% |" in card
    assert "| clouds | 50 | 98.00% | 10.00% |" in card
    assert "Its file doesn't say." in card
    assert "it got 30 of 220 images wrong" in card
    assert "| measured on | not MNIST, 220 images (SHA-256 abab" in card
    assert "MNIST's digits" not in card


def test_the_training_files_are_known_by_their_checksums() -> None:
    claim = {"dataset": "MNIST", "images_sha256": "ab" * 32, "labels_sha256": "cd" * 32}
    card = model_card.write("some", replace(saved(EVALUATION), provenance=claim), "pictures")
    assert "| dataset | not MNIST |" in card


def test_what_was_not_measured_is_not_spoken_of() -> None:
    bare = replace(EVALUATION, confidence=None, robustness=None, mistakes=())
    card = model_card.write("some", saved(bare, (6, 3)), "pictures")
    assert re.findall(r"\((pictures/.+?)\)", card) == ["pictures/confusion.png"]
    assert "Its images aren't square" in card
    assert "calibration error" not in card


def test_an_evaluation_of_another_network() -> None:
    other = Saved(random_network((784, 3)), {}, None, records.encode(EVALUATION))
    with pytest.raises(EvaluationError, match="but some has class 0, class 1, class 2"):
        model_card.write("some", other, "pictures")


def test_no_evaluation() -> None:
    with pytest.raises(EvaluationError, match=r"^evaluation: some has none$"):
        model_card.write("some", Saved(random_network((4, 3)), {}, None), "pictures")
