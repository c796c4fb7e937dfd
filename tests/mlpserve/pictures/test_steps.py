"""Each step of reading alone: polarity, lines, pieces, sheets, opacity and widths of strokes."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from mlpserve.models import ImageLayout
from mlpserve.pictures.components import find_digit
from mlpserve.pictures.fitting import fit, is_arranged
from mlpserve.pictures.lines import find_lines, run_lengths
from mlpserve.pictures.opacity import reveal
from mlpserve.pictures.paper import close, find_ink, measure_noise
from mlpserve.pictures.sheets import extend, find_sheet
from mlpserve.pictures.specks import despeckle
from mlpserve.pictures.strokes import measure_depths, measure_width, normalise
from mlpserve.pictures.tones import find_tones

SIDE = 200
Mask = npt.NDArray[np.bool_]


def bar(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


RING = bar(50, 60, 150, 140) & ~bar(65, 75, 135, 125)


def paint(mask: Mask, paper: float, ink: float) -> npt.NDArray[np.float32]:
    return np.where(mask, ink, paper).astype(np.float32)[..., np.newaxis]


@pytest.mark.parametrize(
    ("paper", "ink"), [(1, 0), (0.4, 0.1), (0.3, 0.1), (0, 1), (0.6, 0.9), (0.8, 1), (0.45, 0.55)]
)
def test_polarity_is_by_what_stands_out(paper: float, ink: float) -> None:
    tones = find_tones(paint(RING, paper, ink))
    assert tones.dark_ink == (ink < paper)
    np.testing.assert_array_equal(find_ink(tones) > 0.5, RING)


def test_polarity_on_a_gradient() -> None:
    light = np.linspace(1, 0.3, SIDE, dtype=np.float32)[:, np.newaxis, np.newaxis]
    tones = find_tones(paint(RING, 0.95, 0.1) * light)
    assert tones.dark_ink
    np.testing.assert_array_equal(find_ink(tones) > 0.42, RING)


def test_hues_of_one_brightness() -> None:
    red, green = np.array([0.8, 0.2, 0.2], np.float32), np.array([0.2, 0.506, 0.2], np.float32)
    picture = np.where(RING[..., np.newaxis], green, red)
    tones = find_tones(picture)
    assert abs(np.ptp(tones.levels)) > 0.4
    np.testing.assert_array_equal(find_ink(tones) > 0.5, RING)


def test_closing_fills_strokes_and_keeps_shadows_and_strips_at_edges() -> None:
    levels = np.ones((SIDE, SIDE), np.float32)
    levels[:, 120:] = 0.5
    levels[:, :4] = 0.1
    expected = levels.copy()
    levels[50:60, 20:180] *= 0.2
    np.testing.assert_array_equal(close(levels, 41), expected)


def test_noise_is_measured() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    assert measure_noise(noise) == pytest.approx(0.1, rel=0.05)
    assert measure_noise(paint(RING, 1, 0)[..., 0]) == 0


def test_lengths_of_runs() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], np.bool_)
    np.testing.assert_array_equal(run_lengths(mask), [[2, 2, 0, 1], [0, 0, 0, 0], [4, 4, 4, 4]])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_lines_go_and_the_strokes_that_cross_them_stay(width: int, turned: bool) -> None:
    lines = np.zeros((SIDE, SIDE), np.bool_)
    for start in range(10, SIDE, 30):
        lines[start : start + width] = True
    stroke = RING.T if turned else RING
    lines = lines.T if turned else lines
    ink = stroke | lines
    left = ink & ~find_lines(ink)
    assert not (left & ~ndimage.binary_dilation(stroke, iterations=width + 1)).any()
    assert np.count_nonzero(stroke & ~left) < 0.02 * np.count_nonzero(stroke)


def test_a_bare_stroke_is_no_line() -> None:
    assert not find_lines(bar(28, 95, 172, 99)).any()


def choose(mask: Mask) -> Mask:
    return find_digit(mask, mask.astype(np.float32))


def test_a_detached_bar_belongs_to_the_digit() -> None:
    five = bar(60, 60, 150, 75) | bar(135, 60, 150, 130) | bar(40, 80, 52, 140)
    np.testing.assert_array_equal(choose(five), five)


@pytest.mark.parametrize(
    "other",
    [
        bar(3, 3, 197, 197) & ~bar(6, 6, 194, 194),
        bar(30, 185, 170, 200),
        bar(0, 0, 12, 200),
        bar(2, 60, 12, 90),
        bar(30, 30, 33, 33) | bar(170, 100, 173, 104),
    ],
    ids=["frame", "neighbour", "bar at the edge", "beside the edge", "specks"],
)
def test_what_is_no_digit(other: Mask) -> None:
    np.testing.assert_array_equal(choose(RING | other), RING)


def test_a_digit_that_touches_the_edge_is_one() -> None:
    np.testing.assert_array_equal(choose(bar(0, 90, 150, 110)), bar(0, 90, 150, 110))


def test_sheets() -> None:
    sheet = bar(20, 30, 170, 180)
    found = find_sheet(sheet & ~RING)
    assert found is not None
    np.testing.assert_array_equal(found, sheet)
    turned = ndimage.rotate((sheet & ~RING).astype(np.uint8), 20, reshape=False, order=0) > 0
    assert find_sheet(turned) is not None


@pytest.mark.parametrize(
    "mask",
    [RING, bar(20, 30, 170, 180), bar(20, 80, 180, 110), np.zeros((SIDE, SIDE), np.bool_)],
    ids=["ring", "blank", "stroke", "nothing"],
)
def test_what_is_no_sheet(mask: Mask) -> None:
    assert find_sheet(mask) is None


def test_a_sheet_goes_on_beyond_its_edges() -> None:
    sheet = ndimage.rotate(bar(40, 40, 160, 160).astype(np.uint8), 30, reshape=False, order=0) > 0
    extended = extend(paint(sheet, 0.1, 0.9), sheet)
    assert extended.min() == pytest.approx(0.9)


def test_a_card_shows_its_ink_and_ink_alone_its_shape() -> None:
    colours = np.repeat(paint(RING, 0.9, 0.1), 3, axis=2)
    card = reveal(colours, bar(10, 10, 190, 190).astype(np.float32))
    assert card.min() == pytest.approx(0.1)
    assert np.count_nonzero(card[..., 0] < 0.5) == np.count_nonzero(RING)
    for ink in (0.1, 0.9):
        alone = reveal(np.full((SIDE, SIDE, 3), ink, np.float32), 0.5 * RING.astype(np.float32))
        np.testing.assert_array_equal(alone[..., 0] == (ink > 0.5), RING)


def test_specks_go_and_thin_strokes_stay() -> None:
    picture = paint(bar(50, 100, 150, 101), 1, 0)
    speckled = picture.copy()
    speckled[20, 20] = speckled[170, 33] = 0
    np.testing.assert_allclose(despeckle(speckled), picture, atol=1e-6)


@pytest.mark.parametrize("width", [1, 2, 5, 12, 20, 40, 60])
def test_strokes_get_the_width_of_those_of_training_images(width: int) -> None:
    ink = bar(50, 90, 150, 90 + width) | bar(50, 90, 50 + width, 150)
    levels = normalise(ink.astype(np.float32), ink)
    assert 9 <= measure_width(measure_depths(levels > 0.5)) <= 31
    if 12 <= width <= 18:
        np.testing.assert_array_equal(levels, ink)


def test_thick_strokes_of_chalk_are_thinned_and_stay() -> None:
    """Chalk leaves no place that is far from a hole, but its strokes have a width all the same."""
    ink = bar(40, 40, 160, 100) | bar(40, 40, 100, 160)
    holes = np.zeros_like(ink)
    holes[::3, ::3] = True
    chalk = ink & ~holes
    levels = normalise(chalk.astype(np.float32), chalk)
    whole = normalise(ink.astype(np.float32), ink)
    assert 0 < np.count_nonzero(levels) < 0.9 * np.count_nonzero(chalk)
    assert np.count_nonzero(levels) == pytest.approx(8 / 9 * np.count_nonzero(whole), rel=0.15)


@pytest.mark.parametrize("centring", ["mass", "box"])
@pytest.mark.parametrize("side", [8, 28, 64])
def test_layouts(side: int, centring: str) -> None:
    ink = bar(10, 20, 190, 60) | bar(150, 20, 190, 140)
    layout = ImageLayout(side, side, "light", 0.7, centring, (0.45, 0.5))
    image = fit(ink.astype(np.float32), layout)
    assert image.shape == (side, side)
    rows, columns = (image.max(axis=axis) for axis in (1, 0))
    lengths = [np.count_nonzero(profile > 0.2) for profile in (rows, columns)]
    assert max(lengths) == pytest.approx(0.7 * side, abs=1.5)
    places = np.arange(side)
    if centring == "mass":
        middles = [np.average(places, weights=image.sum(axis=axis)) for axis in (1, 0)]
    else:
        middles = [np.average(places, weights=profile) for profile in (rows, columns)]
    assert middles == pytest.approx([0.45 * side, 0.5 * side], abs=0.6)


def test_what_is_laid_out_already() -> None:
    layout = ImageLayout(28, 28, "light", 20.5 / 28, "mass", (0.5, 0.5))
    image = fit(RING.astype(np.float32), layout)
    large = image.repeat(4, axis=0).repeat(4, axis=1)
    assert is_arranged(large, layout)
    assert not is_arranged(np.roll(large, 12, axis=0), layout)
