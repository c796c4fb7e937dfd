"""Pictures of an evaluation: there are those it has figures for, and they show the images."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from exporter.study import charts, records
from harness.networks import random_batch
from tests.exporter.evaluations import EVALUATION

IMAGES = random_batch(10, 784)


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture))


def test_every_figure_has_a_picture() -> None:
    pictures = charts.draw(EVALUATION, IMAGES)
    assert list(pictures) == ["confusion.png", "calibration.png", "mistakes.png", "robustness.png"]
    for picture in pictures.values():
        image = opened(picture)
        assert image.format == "PNG"
        assert min(image.size) > 150
        assert image.info["Description"] == charts.fingerprint(EVALUATION)
        assert "Software" not in image.info
        assert len(picture) < 150_000


def test_what_was_not_measured_has_none() -> None:
    bare = replace(EVALUATION, confidence=None, robustness=None, mistakes=())
    assert list(charts.draw(bare, IMAGES)) == ["confusion.png"]


def test_the_fingerprint_is_that_of_the_record() -> None:
    recorded = records.decode(records.encode(EVALUATION))
    assert charts.fingerprint(recorded) == charts.fingerprint(EVALUATION)
    assert charts.fingerprint(replace(EVALUATION, split="train")) != charts.fingerprint(EVALUATION)


@pytest.mark.parametrize("n_pixels", [784, 6])
def test_mistakes_show_their_images(n_pixels: int) -> None:
    dark, bright = np.zeros((10, n_pixels), np.float32), np.zeros((10, n_pixels), np.float32)
    bright[7] = 1
    white = [
        np.sum(
            np.array(opened(charts.draw(EVALUATION, images)["mistakes.png"]).convert("L")) == 255
        )
        for images in (dark, bright)
    ]
    assert white[1] > white[0] + 1_000


@pytest.mark.parametrize("n_classes", [1, 2, 40])
def test_any_number_of_classes(n_classes: int) -> None:
    confusion = np.eye(n_classes, dtype=int)
    evaluation = replace(
        EVALUATION,
        confidence=None,
        robustness=None,
        labels=tuple(map(str, range(n_classes))),
        confusion=tuple(map(tuple, confusion.tolist())),
        mistakes=(),
    )
    assert "confusion.png" in charts.draw(evaluation, IMAGES)
