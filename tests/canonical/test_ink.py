"""Ink is found between pixels, whatever touches the border, and weighed without what is outside."""

import numpy as np
import pytest

from canonical import ink
from exporter.network.network import Batch

SIDE = 28


def blank(value: float = 0) -> Batch:
    return np.full((1, SIDE, SIDE), value, np.float32)


def test_ends_lie_where_straight_lines_cross_the_threshold() -> None:
    profile = np.array([0, 0, 0.2, 0.6, 1, 0.1, 0], np.float32)
    low, high = ink.find_ends(np.stack([[profile, profile[::-1]]]), np.array([0.3], np.float32))
    assert low[0] == pytest.approx([2.25, 6 - (4 + 7 / 9)])
    assert high[0] == pytest.approx([4 + 7 / 9, 6 - 2.25])


def test_profiles_are_the_brightest_pixels_of_rows_and_columns() -> None:
    images = np.random.default_rng(0).random((5, 13, 13), np.float32)
    found = ink.measure_profiles(images)
    assert np.array_equal(found[:, 0], images.max(axis=2))
    assert np.array_equal(found[:, 1], images.max(axis=1))


def test_smoothing_spreads_a_pixel_over_the_edge() -> None:
    image = blank()
    image[0, 0, 5] = 1
    smooth = ink.smooth(image, np.arange(SIDE, dtype=np.float32))[0]
    around = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(smooth[1:4, 6:9], around, atol=1e-6)
    assert smooth.sum() == pytest.approx(1)


def test_ink_may_touch_two_sides() -> None:
    image = blank()
    image[0, :20, :] = 1
    sides = ink.four_sides(image)
    assert ink.measure_background(sides)[0] == 1, "three sides are more ink than background"
    image[0, :, :20] = image[0, 20:, :] = 0
    assert ink.measure_background(ink.four_sides(image))[0] == 0


def test_background_and_noise_follow_the_border() -> None:
    levels = 0.2 + np.random.default_rng(0).normal(0, 0.05, (300, SIDE, SIDE)).astype(np.float32)
    background, noise = ink.measure_background(ink.four_sides(levels))
    # 7 of 8 values of a normal distribution lie below 1.15 standard deviations.
    assert background.mean() == pytest.approx(0.2 + 1.15 * 0.05, abs=0.01)
    assert noise.mean() == pytest.approx(1.15 * 0.05, abs=0.015)


def test_what_lies_outside_the_box_has_no_weight() -> None:
    image = blank()
    image[0, 10:16, 8:12] = 1
    alone = ink.find(image)
    image[0, [26, 12, 26], [26, 26, 9]] = 0.5
    dusty = ink.find(image)
    assert alone.centre[0] == pytest.approx([12.5, 9.5])
    np.testing.assert_allclose(dusty.centre, alone.centre, atol=1e-5)
    assert alone.low[0] == pytest.approx([9, 7], abs=0.3)
    assert alone.high[0] == pytest.approx([16, 12], abs=0.3)
