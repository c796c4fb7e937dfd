"""Each distortion does to images what its name says, and nothing else."""

import numpy as np
import pytest

from canonical import NotSquare
from exporter.network.network import Batch
from exporter.study import distortions
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels

SIDE = 28


def spot(row: int, column: int, side: int = SIDE) -> Batch:
    """An image (1, side * side) of one white pixel."""
    image = np.zeros((1, side, side), np.float32)
    image[0, row, column] = 1
    return image.reshape(1, -1)


def square(low: int, high: int) -> Batch:
    """An image (1, 784) whose rows and columns from `low` to below `high` are white."""
    image = np.zeros((1, SIDE, SIDE), np.float32)
    image[0, low:high, low:high] = 1
    return image.reshape(1, -1)


def centre(image: Batch) -> tuple[float, float]:
    """Row and column of the centre of mass of one image."""
    pixels = image.reshape(SIDE, SIDE) / image.sum()
    rows, columns = (float(pixels.sum(axis=1 - axis) @ np.arange(SIDE)) for axis in (0, 1))
    return rows, columns


@pytest.mark.parametrize("name", DISTORTIONS)
def test_all_give_images_that_are_always_the_same(name: str, digits: tuple[Batch, Labels]) -> None:
    batch = digits[0][:20]
    before = batch.copy()
    found = DISTORTIONS[name](batch)
    assert found.dtype == np.float32
    assert found.shape == batch.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.array_equal(found, DISTORTIONS[name](batch))
    assert np.array_equal(batch, before)
    assert np.array_equal(found, batch) == (name == "clean")


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("shifted 2 px up", 8, 5),
        ("shifted 2 px down", 12, 5),
        ("shifted 4 px left", 10, 1),
        ("shifted 4 px right", 10, 9),
        ("shifted 4 px up and right", 6, 9),
        ("shifted 4 px down and left", 14, 1),
    ],
)
def test_shifts(name: str, row: int, column: int) -> None:
    assert np.array_equal(DISTORTIONS[name](spot(10, 5)), spot(row, column))


def test_what_is_shifted_over_the_edge_is_lost() -> None:
    assert not distortions.shift(spot(2, 2), down=-3, right=0).any()
    assert not distortions.shift(spot(2, 2), down=0, right=99).any()


@pytest.mark.parametrize(("name", "size"), [("scaled 0.7", 7), ("scaled 1.3", 13)])
def test_scales(name: str, size: int) -> None:
    image = DISTORTIONS[name](square(9, 19))
    assert image.sum() == pytest.approx(size**2, rel=0.01)
    assert centre(image) == pytest.approx((13.5, 13.5), abs=1e-3)


def test_inverted() -> None:
    assert np.array_equal(DISTORTIONS["inverted"](spot(3, 4)), 1 - spot(3, 4))


def test_squeezed_into_the_bottom_half() -> None:
    image = DISTORTIONS["squeezed into the bottom half"](square(8, 20))
    pixels = image.reshape(SIDE, SIDE)
    assert not pixels[:17].any()
    np.testing.assert_allclose(pixels[19:23, 8:20], 1)
    assert not pixels[25:].any()
    assert image.sum() == pytest.approx(6 * 12, rel=0.01)


@pytest.mark.parametrize("degrees", [15, 30])
def test_rotations_are_anticlockwise_about_the_centre(degrees: int) -> None:
    image = DISTORTIONS[f"rotated {degrees} degrees"](spot(13, 23) + spot(14, 23))
    row, column = np.array(centre(image)) - 13.5
    assert np.degrees(np.arctan2(-row, column)) == pytest.approx(degrees, abs=1)
    assert np.hypot(row, column) == pytest.approx(9.5, abs=0.1)


def test_thick_and_thin() -> None:
    assert np.array_equal(DISTORTIONS["thick"](square(9, 19)), square(8, 20))
    assert np.array_equal(DISTORTIONS["thin"](square(9, 19)), square(10, 18))
    # A cross keeps the corner's inside that a square of 3x3 would take.
    cross = np.maximum.reduce([spot(9, 9), spot(8, 9), spot(10, 9), spot(9, 8), spot(9, 10)])
    assert np.array_equal(DISTORTIONS["thin"](cross), spot(9, 9))


def test_noise_has_its_deviation_and_is_cut_to_pixels() -> None:
    grey = np.full((20, SIDE**2), 0.5, np.float32)
    added = distortions.add_noise(grey, 0.1) - grey
    assert added.mean() == pytest.approx(0, abs=0.01)
    assert added.std() == pytest.approx(0.1, rel=0.05)
    strong = DISTORTIONS["Gaussian noise 0.2"](np.zeros_like(grey))
    assert np.count_nonzero(strong) == pytest.approx(strong.size / 2, rel=0.05)
    assert strong[strong > 0].std() == pytest.approx(0.2 * np.sqrt(1 - 2 / np.pi), rel=0.05)


@pytest.mark.parametrize("side", [1, 2, 9])
def test_images_of_any_side(side: int) -> None:
    batch = np.random.default_rng(0).random((3, side**2), np.float32)
    for distort in DISTORTIONS.values():
        assert distort(batch).shape == batch.shape


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(NotSquare, match=r"\(2, 783\)"):
        DISTORTIONS["scaled 0.7"](np.zeros((2, 783), np.float32))
