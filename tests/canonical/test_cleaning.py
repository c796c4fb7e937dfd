"""Each step of cleaning takes off what it is for, and leaves strokes."""

import numpy as np
import pytest

from canonical import background, components, lines, plain, specks
from canonical.cleaning import clean
from canonical.squares import Batch

SIDE = 28


def stroke(value: float = 1) -> Batch:
    """An image (1, 28, 28) with an L of strokes three pixels thick."""
    image = np.zeros((1, SIDE, SIDE), np.float32)
    image[0, 6:21, 8:11] = image[0, 18:21, 8:19] = value
    return image


@pytest.mark.parametrize("colour", [1, 0.4])
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("place", [0, 2, 12, 25])
def test_lines_from_edge_to_edge_go(place: int, width: int, colour: float) -> None:
    image = stroke()
    image[0, place : place + width] = np.maximum(image[0, place : place + width], colour)
    across, along = stroke(), stroke().swapaxes(1, 2)
    for ruled, expected in (
        (image, across),
        (1 - image, 1 - across),
        (image.swapaxes(1, 2), along),
        (0.9 - 0.5 * image.swapaxes(1, 2), 0.9 - 0.5 * along),
    ):
        without = lines.remove_lines(np.ascontiguousarray(ruled))
        assert np.abs(without - expected).max() < 0.01


def test_lines_that_end_before_the_edges_stay() -> None:
    image = stroke()
    image[0, 12, 2:26] = 1
    assert lines.remove_lines(image) is image


@pytest.mark.parametrize("inset", [0, 1, 2, 3])
def test_frames_go_and_three_strokes_like_one_stay(inset: int) -> None:
    image = stroke()
    near, far = inset, SIDE - 1 - inset
    framed = image.copy()
    for sides in (np.s_[near], np.s_[far]):
        framed[0, sides, near : far + 1] = framed[0, near : far + 1, sides] = 1
    assert np.array_equal(lines.remove_lines(framed), image)
    if inset:
        two = image.copy()
        two[0, near, near : far + 1] = two[0, near : far + 1, near] = 1
        assert np.array_equal(lines.remove_lines(two), two)


def test_ink_darker_than_a_dark_line_crosses_it() -> None:
    image = np.full((1, SIDE, SIDE), 0.9, np.float32)
    image[0, 5:23, 13:16] = 0.1
    ruled = image.copy()
    ruled[0, 12] = np.minimum(image[0, 12], 0.6)
    assert np.abs(lines.remove_lines(ruled) - image).max() < 1e-6


def test_specks_of_both_colours_go() -> None:
    image = np.float32(0.3) + np.float32(0.4) * stroke()
    random = np.random.default_rng(0).random(image.shape)
    spotted = np.where(random < 0.05, 1, np.where(random > 0.95, 0, image)).astype(np.float32)
    wrong_before = (np.abs(spotted - image) > 0.1).sum()
    wrong = (np.abs(specks.remove_specks(spotted) - image) > 0.1).sum()
    assert wrong < wrong_before / 5


def test_a_few_specks_stay_as_they_may_be_strokes() -> None:
    image = stroke()
    image[0, 3, 24] = image[0, 24, 3] = 1
    assert specks.remove_specks(image) is image


def test_neighbours_at_the_edge_go_and_the_digit_stays() -> None:
    image = stroke()
    crowded = image.copy()
    crowded[0, 5:20, 25:] = 1
    crowded[0, :2, 4:12] = 0.8
    assert np.array_equal(components.remove_neighbours(crowded), image)
    touching = np.zeros_like(image)
    touching[0, 2:20, :5] = 1
    assert np.array_equal(components.remove_neighbours(touching), touching)


def test_flooding_goes_around_corners_and_stops_at_gaps() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    expected = mask.copy()
    expected[4] = False
    both = np.stack([mask, np.zeros_like(mask)])
    assert np.array_equal(components.flood(both), np.stack([expected, np.zeros_like(mask)]))


def test_surfaces_follow_the_light_and_not_the_ink() -> None:
    down, right = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
    light = 0.6 + 0.2 * down - 0.1 * right * down - 0.15 * right**2
    fitted = background.fit_surface((light - 0.4 * stroke()).astype(np.float32))
    assert np.abs(fitted - light).max() < 0.03


def test_opening_keeps_shadows_and_takes_strokes() -> None:
    shadow = np.zeros((1, SIDE, SIDE), np.float32)
    shadow[0, :, 13:] = 0.5
    both = np.maximum(shadow, stroke())
    assert np.array_equal(background.open_wide(both), shadow)
    by_hand = np.pad(both[0], 4, constant_values=np.inf)
    least = np.array([[by_hand[i : i + 9, j : j + 9].min() for j in range(28)] for i in range(28)])
    around = np.pad(least, 4, constant_values=-np.inf)
    most = np.array([[around[i : i + 9, j : j + 9].max() for j in range(28)] for i in range(28)])
    assert np.array_equal(background.open_wide(both)[0], most)


def test_the_commonest_level_is_the_papers() -> None:
    framed = np.full((1, SIDE, SIDE), 0.3, np.float32)
    framed[0, [0, 1, -1, -2]] = framed[0, :, [0, 1, -1, -2]] = 0.9
    level, common = background.find_level(framed + 0.2 * stroke())
    assert common.all()
    assert level[0] == pytest.approx(0.3)
    assert not background.find_level(np.random.default_rng(0).random((1, 28, 28), np.float32))[1][0]


@pytest.mark.parametrize("paper", [0, 0.2, 0.48, 0.52, 1])
def test_plain_images_are_plain_whatever_their_paper(paper: float) -> None:
    ink = 0 if paper > 0.4 else 0.7
    image = (paper + (ink - paper) * stroke()).astype(np.float32)
    is_plain, is_dark = plain.find_plain(image)
    assert is_plain.all()
    assert is_dark[0] == (ink < paper)
    light, cleaned_dark = clean(image)
    assert cleaned_dark[0] == is_dark[0]
    np.testing.assert_allclose(light, abs(ink - paper) * stroke(), atol=1e-5)


def test_what_needs_cleaning_is_not_plain() -> None:
    speckled, framed, ruled, uneven = (stroke() for _ in range(4))
    speckled[0, [2, 25, 3], [24, 3, 14]] = 1
    framed[0, [2, 25], 2:26] = framed[0, 2:26, [2, 25]] = 1
    ruled[0, 14] = 1
    uneven[0] = np.maximum(uneven[0], np.linspace(0, 0.5, SIDE, dtype=np.float32))
    images = np.concatenate([speckled, framed, ruled, uneven, stroke()])
    assert plain.find_plain(images)[0].tolist() == [False, False, False, False, True]
