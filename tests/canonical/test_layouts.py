"""Canonical mode puts images where the model's images are, whatever those look like."""

from dataclasses import replace

import numpy as np
import pytest

from canonical import canonicalize, ink
from exporter.export.image_layout import measure
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels
from modelfile.image_layout import MNIST, ImageLayout

LARGE = ImageLayout(28, 28, "light", 0.95, "box", (0.48, 0.48))
LOW = ImageLayout(28, 28, "light", 0.5, "mass", (0.65, 0.4))


def test_without_a_layout_images_stay_as_they_are(digits: tuple[Batch, Labels]) -> None:
    images = 1 - digits[0][:70]
    found = canonicalize(images, None)
    np.testing.assert_array_equal(found.batch, images)
    assert not np.shares_memory(found.batch, images)
    assert not found.inverted.any()
    assert (found.scales == 1).all()
    assert (found.shifts == 0).all()


@pytest.mark.parametrize("layout", [MNIST, LARGE, LOW])
@pytest.mark.parametrize("kind", ["shifted 4 px down and right", "scaled 0.7", "inverted"])
def test_images_come_out_as_the_layout_says(
    digits: tuple[Batch, Labels], layout: ImageLayout, kind: str
) -> None:
    images = DISTORTIONS[kind](digits[0][:300])
    found = measure(canonicalize(images, layout).batch)
    assert found is not None
    assert found.ink == layout.ink
    assert found.longest_side == pytest.approx(layout.longest_side, abs=0.03)
    drawn = ink.find(canonicalize(images, layout).batch.reshape(-1, 28, 28))
    centres = drawn.centre if layout.centring == "mass" else (drawn.low + drawn.high) / 2
    assert centres.mean(axis=0) / 28 == pytest.approx(layout.centre, abs=0.02)


def test_dark_ink_for_a_network_of_dark_ink(digits: tuple[Batch, Labels]) -> None:
    images = digits[0][:100]
    light, dark = canonicalize(images), canonicalize(images, replace(MNIST, ink="dark"))
    np.testing.assert_allclose(dark.batch, 1 - light.batch, atol=1e-6)
    assert dark.inverted.all()
    assert not light.inverted.any()


def test_flat_ink_is_stretched_only_if_the_layout_knows_of_it() -> None:
    flat = np.zeros((1, 28, 28), np.float32)
    flat[0, 12:15, 4:24] = 1
    for flattest, stretched in ((0.0, False), (0.8, True)):
        layout = replace(MNIST, flattest=flattest)
        height, width = canonicalize(flat.reshape(1, -1), layout).scales[0]
        assert (height > 2 * width) == stretched
