"""Distortions move pixels where their parameters say, and leave images alone without them."""

import numpy as np
import pytest

from canonical import NotSquare
from exporter.network.network import Batch
from exporter.training import augmentation
from exporter.training.augmentation import Distortions

NONE = Distortions(0, 0, 0, 0, 0)
SIDE = 28


def blob(row: float, column: float, side: int = SIDE) -> Batch:
    """An image (1, side * side) of a soft spot whose centre of mass is at a place."""
    rows, columns = np.mgrid[:side, :side]
    spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
    image: Batch = spot.reshape(1, -1).astype(np.float32)
    return image


def centre(image: Batch) -> tuple[float, float]:
    """Centre of mass of one image, row and column, counted from the image's centre."""
    rows, columns = np.mgrid[:SIDE, :SIDE].reshape(2, -1) - (SIDE - 1) / 2
    mass = image / image.sum()
    return float((rows * mass).sum()), float((columns * mass).sum())


def variants(image: Batch, distortions: Distortions, count: int = 300) -> Batch:
    source = augmentation.prepare(image)
    indices = np.zeros(count, np.int64)
    return augmentation.distort(source, indices, distortions, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize("side", [1, 2, 9, 28])
def test_without_distortions_images_stay_as_they_are(side: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, side * side), np.uint8)
    images = pixels.astype(np.float32) / np.float32(255)
    source = augmentation.prepare(images)
    for distortions, strength in ((NONE, 1.0), (Distortions(), 0.0)):
        indices = np.array([4, 0, 0])
        found = augmentation.distort(
            source, indices, distortions, strength, np.random.default_rng(0)
        )
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, images[indices], atol=1e-6)


def test_shift_moves_up_to_its_bound_in_every_direction() -> None:
    places = np.array(
        [centre(each) for each in variants(blob(13.5, 13.5), Distortions(0, 0, 0, 3, 0))]
    )
    assert np.abs(places).max() < 3.3
    assert places.min(axis=0).max() < -2.5
    assert places.max(axis=0).min() > 2.5
    assert np.abs(places.mean(axis=0)).max() < 0.4


def test_rotation_turns_around_the_centre() -> None:
    places = [centre(each) for each in variants(blob(13.5, 20.5), Distortions(30, 0, 0, 0, 0))]
    rows, columns = np.array(places).T
    np.testing.assert_allclose(np.hypot(rows, columns), 7, atol=0.3)
    angles = np.degrees(np.arctan2(rows, columns))
    assert np.abs(angles).max() < 32
    assert angles.min() < -25
    assert angles.max() > 25


def test_scale_moves_along_each_axis() -> None:
    places = [centre(each) for each in variants(blob(18.5, 18.5), Distortions(0, 0.3, 0, 0, 0))]
    ratios = np.log(np.array(places) / 5)
    assert np.abs(ratios).max() < 0.35
    assert ratios.min(axis=0).max() < -0.2
    assert ratios.max(axis=0).min() > 0.2
    assert abs(np.corrcoef(ratios.T)[0, 1]) < 0.2


def test_shear_moves_columns_in_proportion_to_rows() -> None:
    places = [centre(each) for each in variants(blob(20.5, 13.5), Distortions(0, 0, 0.3, 0, 0))]
    rows, columns = np.array(places).T
    np.testing.assert_allclose(rows, 7, atol=0.3)
    assert np.abs(columns).max() < 0.3 * 7 + 0.3
    assert columns.max() - columns.min() > 0.5 * 7


def test_elastic_bends_differently_in_different_places() -> None:
    image = np.maximum(blob(7, 7), blob(20, 20))
    bent = variants(image, Distortions(0, 0, 0, 0, 1.0)).reshape(-1, SIDE, SIDE)
    corners = bent[:, :14, :14].reshape(-1, 14 * 14), bent[:, 14:, 14:].reshape(-1, 14 * 14)
    rows = np.mgrid[:14, :14][0].ravel()
    first, second = ((corner * rows).sum(axis=1) / corner.sum(axis=1) for corner in corners)
    assert 0.2 < first.std() < 1.2
    assert 0.2 < second.std() < 1.2
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.25


def test_enlarged_images_keep_the_pixels_and_follow_smooth_shapes() -> None:
    image = blob(13.5, 13.5).reshape(1, SIDE, SIDE)
    enlarged = augmentation.enlarge(image)[0] / 255
    np.testing.assert_allclose(enlarged[::2, ::2], image[0], atol=0.5 / 255 + 1e-6)
    rows, columns = np.mgrid[: 2 * SIDE - 1, : 2 * SIDE - 1] / 2
    smooth = np.exp(-((rows - 13.5) ** 2 + (columns - 13.5) ** 2) / 8)
    np.testing.assert_allclose(enlarged, smooth, atol=0.02)


def test_fields_add_up() -> None:
    fields = augmentation.distortion_fields(SIDE)
    assert fields.shape == (3 + 49, SIDE * SIDE)
    # Control points that all move alike shift the image as a whole.
    np.testing.assert_allclose(fields[3:].sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(fields[:2].sum(axis=1), 0, atol=1e-3)


def test_the_same_generator_gives_the_same_variants() -> None:
    assert np.array_equal(
        variants(blob(10, 10), Distortions()), variants(blob(10, 10), Distortions())
    )


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(NotSquare, match="783"):
        augmentation.prepare(np.zeros((2, 783), np.float32))
