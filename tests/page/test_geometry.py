"""What becomes of strokes: the drawing's mathematics, held against NumPy and SciPy."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page
from scipy import ndimage

from harness.browser import Watched

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def page(kept_open: Watched) -> Page:
    return kept_open.page


def run(page: Page, module: str, body: str, **arguments: Any) -> Any:
    """Return what a function body returns, which has a module as `it` and the arguments."""
    names = ", ".join(arguments)
    function = (
        f"async ({{ {names} }}) => {{ const it = await import('/static/js/{module}.js'); {body} }}"
    )
    return page.evaluate(function, arguments)


def noise(*shape: int, seed: int = 3) -> Array:
    return np.random.default_rng(seed).random(shape, dtype=np.float32).astype(float)


def render(page: Page, image: Array, points: str = "pixels", /, **changes: float) -> Array:
    """Return an image (rows, columns) with sliders changed."""
    found = run(
        page,
        "draw/drawing",
        """const drawing = new it.Drawing(shape);
        drawing.add({ image: Float32Array.from(image) });
        return [...drawing.render({ ...it.UNCHANGED, ...changes })[points]];""",
        shape=image.shape,
        image=image.ravel().tolist(),
        changes=changes,
        points=points,
    )
    return np.array(found)


def test_pixels_are_means_and_keep_the_ink(page: Page) -> None:
    points = noise(20, 35)
    found = run(
        page,
        "draw/raster",
        "return [...it.average(Float32Array.from(points), [4, 7], 5)];",
        points=points.ravel().tolist(),
    )
    means = points.reshape(4, 5, 7, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(found, means.ravel(), atol=1e-6)
    assert np.sum(found) * 25 == pytest.approx(points.sum(), rel=1e-6)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (12, 20), (300, 2)])
def test_an_image_that_is_not_moved_stays_as_it_is(page: Page, shape: tuple[int, int]) -> None:
    image = noise(*shape)
    np.testing.assert_allclose(render(page, image), image.ravel(), atol=1e-6)


def test_whole_pixels_are_shifted_exactly_and_nothing_is_lost(page: Page) -> None:
    image = noise(12, 20)
    moved = render(page, image, right=3, down=-2).reshape(12, 20)
    np.testing.assert_allclose(moved[:-2, 3:], image[2:, :-3], atol=1e-6)
    assert not moved[-2:].any()
    assert not moved[:, :3].any()


@pytest.mark.parametrize(
    "changes",
    [
        {"right": 2.5, "down": -1.5},
        {"degrees": 90},
        {"degrees": -30, "scale": 0.8},
        {"scale": 1.4, "width": 0.6, "degrees": 17, "right": -3},
    ],
    ids=json.dumps,
)
def test_images_are_moved_as_scipy_moves_them(page: Page, changes: dict[str, float]) -> None:
    image, factor = noise(28, 28), 10
    at = {"right": 0, "down": 0, "scale": 1, "width": 1, "degrees": 0} | changes
    angle = np.deg2rad(at["degrees"])
    # Down and right, as SciPy has them; on a screen, whose rows go down, this turns clockwise.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    there = at["scale"] * turn @ np.diag([1, at["width"]])
    centre = np.full(2, 14 * factor - 0.5)
    back = np.linalg.inv(there)
    shift = factor * np.array([at["down"], at["right"]])
    large = np.kron(image, np.ones((factor, factor)))
    moved = ndimage.affine_transform(
        large, back, centre - back @ (centre + shift), order=0, mode="grid-constant"
    )
    found = render(page, image, "points", **changes).reshape(moved.shape)
    # Points on a border may round to either side.
    assert (np.abs(found - moved) > 1e-6).mean() < 0.02
    means = moved.reshape(28, factor, 28, factor).mean(axis=(1, 3))
    pixels = render(page, image, **changes).reshape(28, 28)
    np.testing.assert_allclose(pixels, means, atol=0.1)
    assert pixels.sum() == pytest.approx(means.sum(), rel=1e-3)


def test_maps_turn_about_the_centre_and_are_inverted(page: Page) -> None:
    found = run(
        page,
        "draw/drawing",
        """const moved = { right: 2, down: -3, scale: 0.7, width: 1.3, degrees: 40 };
        const map = it.mapOf(moved, [12, 20]);
        const [centre, there] = [[10, 6], [3, 4]].map(([x, y]) => map.transformPoint({ x, y }));
        const back = map.inverse().transformPoint(there);
        return [centre.x, centre.y, back.x, back.y, map.a * map.d - map.b * map.c];""",
    )
    np.testing.assert_allclose(found, [12, 3, 3, 4, 0.7**2 * 1.3])


@pytest.mark.parametrize("radius", [1, 2, 3.5, 6, -1, -2.5, -4])
def test_ink_is_thickened_as_scipy_does(page: Page, radius: float) -> None:
    ink = noise(23, 31)
    found = run(
        page,
        "draw/raster",
        "return [...it.thicken(Float32Array.from(ink), 31, radius)];",
        ink=ink.ravel().tolist(),
        radius=radius,
    )
    reach = int(abs(radius))
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(down, right) <= abs(radius)
    if radius > 0:
        wanted = ndimage.grey_dilation(ink, footprint=disc, mode="constant", cval=0)
    else:
        wanted = ndimage.grey_erosion(ink, footprint=disc, mode="constant", cval=1)
    np.testing.assert_allclose(found, wanted.ravel(), atol=1e-6)


def test_a_thicker_line_is_as_much_wider_as_said(page: Page) -> None:
    image = np.zeros((28, 28))
    image[13:15, 4:24] = 1
    for thickness in (-1.0, 0.6, 2.0):
        wide = render(page, image, thickness=thickness).reshape(28, 28)[:, 10:18].sum(axis=0)
        np.testing.assert_allclose(wide, 2 + thickness, atol=1e-6)


def test_strokes_have_round_soft_edges(page: Page) -> None:
    found = run(
        page,
        "draw/raster",
        """const raster = new it.Raster([28, 28]);
        raster.stamp([6, 9, 1], [20, 17, 2]);
        return [raster.factor, raster.margin, raster.width, [...raster.ink]];""",
    )
    factor, margin, width = found[:3]
    ink = np.array(found[3]).reshape(-1, width)
    down, right = (np.mgrid[: len(ink), :width] + 0.5) / factor - margin
    along = np.clip(((right - 6) * 14 + (down - 9) * 8) / (14**2 + 8**2), 0, 1)
    distance = np.hypot(right - 6 - 14 * along, down - 9 - 8 * along)
    share = np.clip((1.27 - distance / (1 + along)) / 0.54, 0, 1)
    np.testing.assert_allclose(ink, share**2 * (3 - 2 * share), atol=1e-5)


def test_a_stroke_in_pieces_is_one_stroke(page: Page) -> None:
    found = run(
        page,
        "draw/raster",
        """const [whole, pieces] = [0, 1].map(() => new it.Raster([28, 28]));
        whole.stamp([4, 4, 1.3], [24, 20, 1.3]);
        for (let k = 0; k < 20; k += 1) {
          pieces.stamp([4 + k, 4 + 0.8 * k, 1.3], [5 + k, 4.8 + 0.8 * k, 1.3]);
        }
        return [whole, pieces].map(({ ink }) => [...ink]);""",
    )
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_inverted_twice_is_unchanged_and_noise_is_that_of_its_seed(page: Page) -> None:
    image = 0.25 + noise(28, 28) / 2
    inverted = render(page, image, isInverted=True)
    np.testing.assert_allclose(inverted, 1 - image.ravel(), atol=1e-6)
    disturbed = [render(page, image, noise=0.05, seed=seed) - image.ravel() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(disturbed[0], disturbed[1])
    assert np.std(disturbed[0]) == pytest.approx(0.05, rel=0.1)
    assert abs(np.corrcoef(disturbed[0], disturbed[2])[0, 1]) < 0.15


def test_ink_becomes_the_numbers_that_a_model_takes(page: Page) -> None:
    body = """const scale = it.scaleOf({ inputRange, imageLayout: { ink } });
        const pixels = scale.toPixels([0, 0.2, 1]);
        return [[...pixels], [...scale.toInk(pixels)]];"""
    for text, ink, wanted in (
        ("[0, 1]", "light", [0, 0.2, 1]),
        ("[0, 1]", "dark", [1, 0.8, 0]),
        ("[-1, 1]", "light", [-1, -0.6, 1]),
        ("[0, 255]", "light", [0, 51, 255]),
        ("finite", "light", [-3, -1.8, 3]),
    ):
        numbers, back = run(page, "draw/range", body, inputRange=text, ink=ink)
        np.testing.assert_allclose(numbers, wanted, rtol=1e-6)
        np.testing.assert_allclose(back, [0, 0.2, 1], atol=1e-6)
