"""Canonical mode does what it says: the same digit comes out, wherever and however it came in."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from canonical import Canonical, NotSquare, canonicalize
from exporter.network.network import Batch
from exporter.study import distortions
from exporter.training.mnist import Labels

SIDE = 28
FEW = settings(max_examples=60, deadline=None)


def image_of(*places: tuple[int, int], side: int = SIDE) -> Batch:
    """An image (1, side * side) that is white at places (row, column)."""
    image = np.zeros((1, side, side), np.float32)
    for row, column in places:
        image[0, row, column] = 1
    return image.reshape(1, -1)


def block(rows: slice, columns: slice) -> Batch:
    """An image (1, 784) with a white rectangle."""
    image = np.zeros((1, SIDE, SIDE), np.float32)
    image[0, rows, columns] = 1
    return image.reshape(1, -1)


def centres(batch: Batch) -> Batch:
    """Row and column (N, 2) of each image's centre of mass."""
    images = batch.reshape(-1, SIDE, SIDE)
    masses = np.stack([images.sum(axis=2), images.sum(axis=1)], axis=1)
    found: Batch = masses @ np.arange(SIDE) / masses.sum(axis=2)
    return found


def extents(batch: Batch) -> Batch:
    """Height and width (N, 2) of what is brighter than 1/2, in whole pixels."""
    bright = batch.reshape(-1, SIDE, SIDE) > 0.5
    counts: Batch = np.stack([bright.any(axis=2).sum(1), bright.any(axis=1).sum(1)], axis=1)
    return counts


def assert_left_alone(found: Canonical, batch: Batch) -> None:
    np.testing.assert_allclose(found.batch, batch, atol=1e-6)
    assert (found.scales == 1).all()
    assert (found.shifts == 0).all()


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """One to six images of any side up to 30: noise, blocks, sparse points or constants."""
    side, n_images = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    batch = np.zeros((n_images, side, side), np.float32)
    for image in batch:
        kind = draw(st.sampled_from(["noise", "block", "points", "constant"]))
        low, high = np.sort(random.random(2, np.float32))
        if kind == "noise":
            image[:] = random.random((side, side), np.float32)
        elif kind == "points":
            image[random.random((side, side)) < 0.02] = high
        else:
            image[:] = low
            if kind == "block":
                top, left = random.integers(0, side, 2)
                image[top : top + random.integers(1, side + 1), left:] = high
        if draw(st.booleans()):
            image[:] = 1 - image
    return batch.reshape(n_images, -1)


@given(batches())
@FEW
def test_any_batch_gives_pixels_and_finite_numbers(batch: Batch) -> None:
    before = batch.copy()
    found = canonicalize(batch)
    assert found.batch.shape == batch.shape
    assert found.scales.shape == found.shifts.shape == (len(batch), 2)
    assert found.inverted.shape == (len(batch),)
    assert found.inverted.dtype == np.bool_
    for values in (found.batch, found.scales, found.shifts):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert found.batch.min() >= 0
    assert found.batch.max() <= 1
    assert (found.scales > 0).all()
    assert np.array_equal(batch, before)


@given(batches())
@FEW
def test_images_of_a_batch_leave_each_other_alone(batch: Batch) -> None:
    together = canonicalize(batch)
    for index in range(len(batch)):
        alone = canonicalize(batch[index : index + 1])
        np.testing.assert_allclose(together.batch[index], alone.batch[0], atol=1e-6)
        np.testing.assert_allclose(together.scales[index], alone.scales[0], rtol=1e-5)
        np.testing.assert_allclose(together.shifts[index], alone.shifts[0], atol=1e-4)
        assert together.inverted[index] == alone.inverted[0]


def test_long_batches_are_answered_in_order(digits: tuple[Batch, Labels]) -> None:
    batch = digits[0][:1500]
    found, last = canonicalize(batch), canonicalize(batch[-7:])
    np.testing.assert_allclose(found.batch[-7:], last.batch, atol=1e-6)
    np.testing.assert_allclose(found.shifts[-7:], last.shifts, atol=1e-4)


def test_no_images() -> None:
    assert canonicalize(np.zeros((0, 784), np.float32)).batch.shape == (0, 784)


@given(st.integers(0, 9_999), st.integers(-4, 4), st.integers(-4, 4))
@FEW
def test_where_a_digit_was_does_not_matter(
    digits: tuple[Batch, Labels], index: int, down: int, right: int
) -> None:
    digit = digits[0][index : index + 1]
    moved = distortions.shift(digit, down, right)
    assume(moved.sum() == pytest.approx(digit.sum(), abs=1e-3))
    here, there = canonicalize(digit), canonicalize(moved)
    np.testing.assert_allclose(there.batch, here.batch, atol=2e-3)
    np.testing.assert_allclose(there.scales, here.scales, rtol=1e-3)
    np.testing.assert_allclose(there.shifts, here.shifts - [[down, right]], atol=2e-3)


def test_dark_ink_on_light_is_inverted(digits: tuple[Batch, Labels]) -> None:
    batch = digits[0][:500]
    light, dark = canonicalize(batch), canonicalize(1 - batch)
    assert dark.inverted.all()
    assert not light.inverted.any()
    np.testing.assert_allclose(dark.batch, light.batch, atol=1e-4)
    np.testing.assert_allclose(dark.scales, light.scales, rtol=1e-4)
    np.testing.assert_allclose(dark.shifts, light.shifts, atol=1e-3)


def test_faint_ink_on_grey_comes_to_full_contrast(digits: tuple[Batch, Labels]) -> None:
    batch = digits[0][:500]
    faint = canonicalize(np.float32(0.3) + np.float32(0.2) * batch)
    assert not faint.inverted.any()
    np.testing.assert_allclose(faint.batch, canonicalize(batch).batch, atol=0.01)


def test_clean_digits_hardly_change(digits: tuple[Batch, Labels]) -> None:
    found = canonicalize(digits[0])
    assert np.median(np.abs(found.scales - 1), axis=0).max() < 0.03
    assert np.abs(found.shifts).mean() < 0.3
    assert np.abs(found.batch - digits[0]).mean() < 0.03


def test_shifts_and_scales_say_what_was_done(digits: tuple[Batch, Labels]) -> None:
    batch = distortions.shift(distortions.scale(digits[0][:1000], 0.6), 3, -2)
    found = canonicalize(batch)
    np.testing.assert_allclose(
        centres(found.batch) - centres(batch), found.shifts, atol=0.35, rtol=0
    )
    grown = extents(found.batch) / extents(batch)
    assert np.median(np.abs(grown / found.scales - 1), axis=0).max() < 0.1
    assert found.scales.mean() == pytest.approx(1 / 0.6, rel=0.05)


def test_centre_of_mass_comes_to_the_middle(digits: tuple[Batch, Labels]) -> None:
    found = centres(canonicalize(digits[0][:1000]).batch)
    np.testing.assert_allclose(found, 14, atol=0.3)


def test_all_of_the_ink_stays_inside() -> None:
    # Nearly all mass is at one end, so that a centred one would push the other end out.
    image = np.maximum(block(slice(2, 6), slice(4, 24)), block(slice(2, 26), slice(13, 14)))
    assert extents(canonicalize(image).batch)[0, 0] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("colour", [0, 1, 0.3, 0.7])
def test_images_without_ink_are_left_but_for_their_polarity(colour: float) -> None:
    batch = np.full((3, SIDE**2), colour, np.float32)
    found = canonicalize(batch)
    assert_left_alone(found, 1 - batch if colour > 0.5 else batch)
    assert (found.inverted == (colour > 0.5)).all()


def test_noise_alone_is_no_ink() -> None:
    noise = distortions.add_noise(np.zeros((200, SIDE**2), np.float32), 0.2)
    found = canonicalize(noise)
    alone = (found.scales == 1).all(axis=1)
    assert alone.mean() > 0.8
    np.testing.assert_array_equal(found.batch[alone], noise[alone])


def test_blank_images_among_others(digits: tuple[Batch, Labels]) -> None:
    batch = digits[0][:4].copy()
    batch[2] = 0
    found = canonicalize(batch)
    assert not found.batch[2].any()
    np.testing.assert_allclose(found.batch[3], canonicalize(batch[3:]).batch[0], atol=1e-6)


@pytest.mark.parametrize("place", [(0, 0), (0, 27), (13, 13), (27, 5)])
def test_a_single_pixel_becomes_a_round_spot_in_the_middle(place: tuple[int, int]) -> None:
    found = canonicalize(image_of(place))
    assert found.batch.max() == pytest.approx(1, abs=0.1)
    assert found.scales[0, 0] > 5
    np.testing.assert_allclose(found.batch.reshape(SIDE, SIDE)[14, 14], found.batch.max(), atol=0.1)


def test_ink_that_touches_the_border_or_fills_the_image() -> None:
    touching = block(slice(0, 20), slice(0, 12))
    assert extents(canonicalize(touching).batch)[0, 0] == pytest.approx(20, abs=1)
    diagonal = image_of(*((i, j) for i in range(SIDE) for j in (i - 1, i, i + 1) if 0 <= j < SIDE))
    found = canonicalize(diagonal)
    assert extents(found.batch)[0] == pytest.approx([20, 20], abs=1)
    assert (found.scales < 1).all()


def test_ones_stay_narrow_and_flat_ink_is_stretched() -> None:
    one = canonicalize(block(slice(8, 18), slice(13, 15)))
    assert one.scales[0, 0] == one.scales[0, 1]
    assert extents(one.batch)[0] == pytest.approx([20, 4], abs=1)
    flat = canonicalize(block(slice(18, 24), slice(4, 24)))
    assert flat.scales[0, 0] > 2 * flat.scales[0, 1]
    assert extents(flat.batch)[0] == pytest.approx([20, 20], abs=1)


def test_dust_does_not_make_the_ink_larger() -> None:
    digit = block(slice(8, 20), slice(11, 15))
    dusty = canonicalize(np.maximum(digit, image_of((1, 1), (26, 25))))
    np.testing.assert_allclose(dusty.scales, canonicalize(digit).scales, rtol=0.01)


@pytest.mark.parametrize("shape", [(2, 783), (2, 0), (784,), (1, 28, 28)])
def test_images_that_are_not_square_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NotSquare, match=r"wanted \(N, P\) with a square number"):
        canonicalize(np.zeros(shape, np.float32))
