"""The exporter measures how a network's images are laid out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter import network
from exporter.export import graph
from exporter.export.image_layout import measure
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels
from harness.networks import random_batch, random_network
from harness.server_process import ROOT
from modelfile.image_layout import MNIST, ImageLayout
from modelfile.input_range import FINITE, InputRange

Digits = tuple[Batch, Labels]


def boxes(n_images: int = 300, side: int = 12) -> Batch:
    """Images (N, side * side) of two uneven bars, 6 pixels high and 2 to 5 wide, whose box is
    always in the middle.
    """
    random = np.random.default_rng(3)
    images = np.zeros((n_images, side, side), np.float32)
    for image, wide in zip(images, random.integers(1, 4, n_images), strict=True):
        left = (side - wide) // 2
        image[3:9, left] = 1
        image[3 : 3 + random.integers(1, 6), left : left + wide] = 1
    return images.reshape(n_images, -1)


def test_mnist_is_laid_out_as_its_page_says(digits: Digits) -> None:
    found = measure(digits[0])
    assert found is not None
    assert (found.rows, found.columns) == (28, 28)
    assert (found.ink, found.centring) == (MNIST.ink, MNIST.centring)
    assert found.longest_side == pytest.approx(MNIST.longest_side, abs=0.005)
    assert found.centre == pytest.approx(MNIST.centre, abs=0.005)
    assert found.flattest == pytest.approx(MNIST.flattest, abs=0.05)


def test_the_shipped_network_tells_the_layout_of_its_training_images(digits: Digits) -> None:
    saved = network.load(ROOT / "exporter" / "weights" / "digits.npz")
    found, here = saved.image_layout, measure(digits[0])
    assert found is not None
    assert here is not None
    assert found.longest_side == pytest.approx(here.longest_side, abs=0.005)
    assert found.centre == pytest.approx(here.centre, abs=0.005)


def test_dark_ink_is_measured_as_light(digits: Digits) -> None:
    light, dark = measure(digits[0][:500]), measure(1 - digits[0][:500])
    assert light is not None
    assert dark == replace(light, ink="dark")


def test_images_elsewhere_have_another_centre(digits: Digits) -> None:
    found = measure(DISTORTIONS["shifted 4 px down and right"](digits[0][:500]))
    assert found is not None
    assert found.centre == pytest.approx((18 / 28, 18 / 28), abs=0.02)


def test_boxes_are_told_from_centres_of_mass() -> None:
    found = measure(boxes())
    assert found is not None
    assert found.centring == "box"
    assert found.longest_side * 12 == pytest.approx(6.5, abs=0.5)
    # Row 5.5 is in the middle between the first and the last.
    assert found.centre[0] * 12 == pytest.approx(5.5, abs=0.2)


def test_numbers_of_another_range_are_pixels_too(digits: Digits) -> None:
    images = digits[0][:300]
    wide = measure(np.float32(7) * images - np.float32(3), InputRange(-3, 4))
    assert wide is not None
    assert wide.longest_side == pytest.approx(getattr(measure(images), "longest_side", 0), abs=1e-3)


def test_flatness_takes_many_images(digits: Digits) -> None:
    found = measure(digits[0][:20])
    assert found is not None
    assert found.flattest == 0


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (random_batch(500, 784), "noise"),
        (random_batch(500, 783), "not square"),
        (random_batch(500, 16), "columns, rather than images"),
        (np.zeros((500, 784), np.float32), "no ink"),
        (np.concatenate([boxes(), 1 - boxes()]), "both polarities"),
    ],
)
def test_what_is_not_laid_out_has_no_layout(images: Batch, why: str) -> None:
    assert measure(images) is None, why


def test_images_all_over_the_place_have_no_layout(digits: Digits) -> None:
    canvas = np.zeros((200, 112, 112), np.float32)
    random = np.random.default_rng(0)
    for image, digit in zip(canvas, digits[0], strict=False):
        down, right = random.integers(0, 84, 2)
        image[down : down + 28, right : right + 28] = digit.reshape(28, 28)
    assert measure(canvas.reshape(200, -1)) is None


def test_few_images_and_finite_numbers_have_none(digits: Digits) -> None:
    assert measure(digits[0][:4]) is None
    assert measure(digits[0][:500], FINITE) is None


def test_weights_without_a_layout_get_that_of_their_examples(
    tmp_path: Path, digits: Digits
) -> None:
    path = tmp_path / "weights.npz"
    network.save(path, random_network((784, 10)), examples=digits[0][:8])
    model = graph.build_saved(network.load(path))
    entries = {entry.key: entry.value for entry in model.metadata_props}
    found = measure(digits[0][:8])
    assert found is not None
    assert json.loads(entries["image_layout"])["longest_side"] == found.longest_side
    assert graph.describe(path, model).metadata.image_layout == found


def test_what_the_weights_say_comes_before_their_examples(tmp_path: Path, digits: Digits) -> None:
    path = tmp_path / "weights.npz"
    given = ImageLayout(28, 28, "dark", 0.9, "box", (0.4, 0.6), 0.0)
    network.save(path, random_network((784, 10)), examples=digits[0][:8], image_layout=given)
    saved = network.load(path)
    assert saved.image_layout == given
    assert graph.describe(path, graph.build_saved(saved)).metadata.image_layout == given


def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(network.WeightsError, match="28 rows of 28 pixels for 9 inputs"):
        network.save(tmp_path / "w.npz", random_network((9, 3)), image_layout=MNIST)
