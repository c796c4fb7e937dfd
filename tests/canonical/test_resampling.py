"""The maps move and scale by what they are told, and lose nothing."""

import numpy as np

from canonical import resampling
from exporter.network.network import Batch


def one_map(centre: float, target: float, scale: float, side: int = 28) -> Batch:
    arguments = np.array([[centre], [target], [scale]], np.float32)
    maps = resampling.axis_maps(arguments[0], arguments[1], arguments[2], side)
    return maps.reshape(side, side)


def test_cubic_is_catmull_and_roms() -> None:
    distances = np.linspace(-3, 3, 601)
    d = np.abs(distances)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    expected = np.where(d <= 1, near, np.where(d < 2, far, 0))
    single = resampling.catmull_rom(distances.astype(np.float32))
    np.testing.assert_allclose(single, expected, atol=1e-6)
    np.testing.assert_allclose(resampling.catmull_rom(distances), expected, atol=1e-14)


def test_without_scale_and_move_pixels_stay_exactly() -> None:
    assert np.array_equal(one_map(9, 9, 1), np.eye(28))


def test_whole_moves_are_exact() -> None:
    assert np.array_equal(one_map(9, 12, 1), np.eye(28, k=-3))


def test_scales_about_the_centre() -> None:
    places = np.arange(28)
    profile = np.exp(-((places - 10) ** 2) / 18)
    for scale in (0.6, 0.9, 1.5):
        expected = np.exp(-(((places - 14) / scale) ** 2) / 18)
        np.testing.assert_allclose(one_map(10, 14, scale) @ profile, expected, atol=0.02)
