"""Canonical mode reads digits on whatever lies around them, in every batch and at every side."""

import numpy as np
import pytest

from canonical import canonicalize
from canonical.plain import find_plain
from exporter import network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS, SURROUNDINGS
from exporter.training.mnist import Labels

NETWORK = network.load(common.WEIGHTS).network
N_IMAGES = 1000
KEPT = 0.9


def resize(batch: Batch, side: int) -> Batch:
    """Images (N, 784) as images of another side, by the nearest pixels."""
    places = (np.arange(side) * 28 + 14) // side
    images = batch.reshape(-1, 28, 28)[:, places[:, np.newaxis], places]
    return images.reshape(len(batch), -1)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_most_digits_are_read(name: str, digits: tuple[Batch, Labels]) -> None:
    ink, labels = digits[0][:N_IMAGES], digits[1][:N_IMAGES]
    images = SURROUNDINGS[name](ink)
    clean = NETWORK.accuracy(ink, labels)
    assert NETWORK.accuracy(canonicalize(images).batch, labels) >= KEPT * clean
    # Inverted, a shadow would be light that makes ink fainter: there is no such thing.
    if "shadow" not in name:
        assert NETWORK.accuracy(canonicalize(1 - images).batch, labels) >= KEPT * clean


@pytest.mark.parametrize(
    ("paper", "contrast"),
    [
        (paper, contrast)
        for paper in (0.05, 0.25, 0.45, 0.48, 0.5, 0.52, 0.75, 0.95)
        for contrast in (-0.5, -0.15, 0.15, 0.5)
        if 0 <= paper + contrast <= 1
    ],
)
@pytest.mark.parametrize("deviation", [0, 0.02])
def test_ink_is_what_stands_out_from_the_paper(
    paper: float, contrast: float, deviation: float, digits: tuple[Batch, Labels]
) -> None:
    noise = np.random.default_rng(0).normal(0, deviation, (300, 784)).astype(np.float32)
    found = canonicalize((paper + contrast * digits[0][:300] + noise).clip(0, 1, dtype=np.float32))
    assert (found.inverted == (contrast < 0)).mean() > 0.98
    clean = NETWORK.accuracy(digits[0][:300], digits[1][:300])
    assert NETWORK.accuracy(found.batch, digits[1][:300]) >= KEPT * clean


@pytest.mark.parametrize("side", [1, 2, 5, 8, 14, 28, 33, 64])
def test_an_answer_is_the_same_to_the_bit_alone_and_in_a_batch(
    side: int, digits: tuple[Batch, Labels]
) -> None:
    ink = resize(digits[0][:70], side)
    kinds = [make(ink) for make in SURROUNDINGS.values()]
    mixed = np.concatenate([images[index::11] for index, images in enumerate(kinds)])
    together = canonicalize(mixed)
    for index in range(0, len(mixed), 7):
        alone = canonicalize(mixed[index : index + 1])
        assert np.array_equal(alone.batch[0], together.batch[index])
        assert np.array_equal(alone.scales[0], together.scales[index])
        assert np.array_equal(alone.shifts[0], together.shifts[index])
        assert alone.inverted[0] == together.inverted[index]
    assert np.array_equal(canonicalize(mixed[::-1]).batch, together.batch[::-1])
    assert np.isfinite(together.batch).all()
    assert together.batch.min() >= 0
    assert together.batch.max() <= 1


def test_a_larger_side_is_cleaned_as_well(digits: tuple[Batch, Labels]) -> None:
    ink = resize(digits[0][:200], 56)
    clean = canonicalize(ink).batch
    for name in ("frame of 2 px", "lines each 7 px", "salt 5%", "shadow of half, on paper"):
        off = np.abs(canonicalize(SURROUNDINGS[name](ink)).batch - clean).mean(axis=1)
        assert np.median(off) < 0.02, name


@pytest.mark.parametrize("name", ["clean", "scaled 0.7", "inverted"])
def test_clean_digits_are_hardly_ever_cleaned(name: str, digits: tuple[Batch, Labels]) -> None:
    images = DISTORTIONS[name](digits[0]).reshape(-1, 28, 28)
    assert find_plain(images)[0].mean() > 0.97


def test_digits_that_fill_small_images_stay_whole() -> None:
    full = np.zeros((1, 8, 8), np.float32)
    full[0, :, 2] = full[0, 0, 2:6] = full[0, 7, 2:6] = full[0, 3, 2:6] = 1
    found = canonicalize(full.reshape(1, -1))
    dark = canonicalize(1 - full.reshape(1, -1))
    np.testing.assert_allclose(found.batch, dark.batch, atol=1e-5)
    assert found.batch.reshape(8, 8).max(axis=1).min() > 0 or found.scales[0, 0] < 1
