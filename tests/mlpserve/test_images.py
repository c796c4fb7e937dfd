"""Whatever array a caller has becomes pixels, or is refused with the remedy."""

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mlpserve import InvalidRequest, Prediction
from mlpserve.images import as_pixels, check_count
from mlpserve.shapes import explain_shape


def answer(n_images: int) -> Prediction:
    zeros = np.zeros((n_images, 1), np.float32)
    return Prediction(np.zeros(n_images, np.int64), zeros, ("a",), "digits", 1)


RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (4, 6), (4, 2, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats(shape: tuple[int, ...], kind: npt.DTypeLike) -> None:
    images = RANDOM.random(shape).astype(kind)
    pixels = as_pixels(images)
    assert pixels.shape == shape
    assert pixels.dtype == np.float32
    assert pixels.tolist() == images.astype(np.float32).tolist()


@pytest.mark.parametrize("shape", [(6,), (2, 3), (4, 6), (4, 2, 3)])
def test_bytes(shape: tuple[int, ...]) -> None:
    images = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    pixels = as_pixels(images)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == images.tolist()


def test_bool_is_black_and_white() -> None:
    pixels = as_pixels([[True, False], [False, True]])
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[255, 0], [0, 255]]


def test_nested_lists_of_floats() -> None:
    assert as_pixels([[0.0, 0.5], [1.0, 0.25]]).tolist() == [[0, 0.5], [1, 0.25]]


def test_byte_order_of_another_machine() -> None:
    assert as_pixels(np.array([0.25, 0.5], dtype=">f4")).tolist() == [0.25, 0.5]


def test_float32_and_uint8_are_not_copied() -> None:
    for images in (np.zeros((2, 6), np.float32), np.zeros((2, 6), np.uint8)):
        assert np.shares_memory(as_pixels(images), images)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 1.5, 255.0, 256.0, 1e300])
def test_what_the_server_locates_is_sent(value: float) -> None:
    sent = as_pixels(np.array([0.0, value]))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(sent, np.array([0, value]).astype(np.float32))


@pytest.mark.parametrize(
    "images",
    [[0, 1], np.zeros(4, np.int64), np.zeros(4, np.uint16), [1j], [None], [object()]],
)
def test_other_types(images: Any) -> None:
    with pytest.raises(
        TypeError, match=r"has the type .*dtype=np.uint8.*dtype=bool.*dtype=np.float32"
    ):
        as_pixels(images)


@pytest.mark.parametrize("shape", [(0,), (0, 784), (0, 28, 28), (3, 0)])
def test_empty_batch(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the batch is empty"):
        as_pixels(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("7.png", r"images is '7.png': give an array, such as np.load\(FILE\)"),
        (Path("7.png"), r"images is '7.png': give an array"),
        (["7.png"], r"images holds text: give an array"),
        (b"\0" * 784, r"images is bytes: .* np.frombuffer\(images, np.uint8\)"),
        (None, "images is None: give an array"),
        ({"pixels": [0.0]}, "images is a dict: give an array"),
        (
            Image.new("RGB", (28, 28)),
            r"in mode RGB: make it grey with images.convert\('L'\)",
        ),
        (Image.new("P", (28, 28)), r"in mode P: make it grey with images.convert\('L'\)"),
    ],
)
def test_what_is_no_array(images: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        as_pixels(images)


@pytest.mark.parametrize("mode", ["L", "1", "F"])
def test_grey_pictures_are_arrays(mode: str) -> None:
    assert as_pixels(Image.new(mode, (28, 20))).shape == (20, 28)


COLOURS = "`mlpserve predict FILE` reads picture files of any colour and size"


@pytest.mark.parametrize(
    ("shape", "is_uint8", "remedy"),
    [
        ((28, 28, 3), False, f"make it grey with images.mean(axis=-1); {COLOURS}"),
        ((28, 28, 3), True, f"images.mean(axis=-1).astype(np.uint8); {COLOURS}"),
        ((28, 28, 4), False, f"images[..., :3].mean(axis=-1); {COLOURS}"),
        ((5, 28, 28, 3), False, f"images.mean(axis=-1); {COLOURS}"),
        ((5, 3, 28, 28), True, f"images.mean(axis=1).astype(np.uint8); {COLOURS}"),
        ((5, 4, 28, 28), False, f"images[:, :3].mean(axis=1); {COLOURS}"),
        ((28, 28, 2), False, "send images[..., 0]"),
        ((28, 28, 1), False, "send images[..., 0]"),
        ((5, 28, 28, 1), True, "send images[..., 0]"),
        ((5, 1, 28, 28), False, "send images[:, 0]"),
        ((3, 28, 28), False, ""),
        ((2, 2, 28, 28), False, ""),
        ((28, 28), False, ""),
        ((), False, ""),
    ],
)
def test_what_a_shape_looks_like(shape: tuple[int, ...], is_uint8: bool, remedy: str) -> None:
    hint = explain_shape(shape, is_uint8)
    assert hint.endswith(remedy)
    assert bool(hint) == bool(remedy)
    if not remedy:
        return
    # What is to be done makes grey images of it.
    images = np.zeros(shape, np.uint8 if is_uint8 else np.float32)
    expression = re.search(r"(?:send|with) (images[^;]*)", hint)
    assert expression is not None
    grey = eval(expression[1], {"np": np, "images": images})
    assert grey.shape == ((5, 28, 28) if len(shape) == 4 else (28, 28))
    assert as_pixels(grey).dtype == images.dtype


def test_lists_have_no_methods() -> None:
    with pytest.raises(ValueError, match=r"np.asarray\(images\).mean\(axis=-1\)"):
        as_pixels([np.zeros((28, 28, 3), np.uint8)])


@pytest.mark.parametrize("shape", [(), (2, 1, 1, 28, 28)])
def test_other_numbers_of_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"wanted \(P,\), \(rows, columns\).*reshape\(N, -1\)"):
        as_pixels(np.zeros(shape, np.float32))


def test_images_of_different_sizes() -> None:
    with pytest.raises(ValueError, match="images differ in shape"):
        as_pixels([[0.0, 1.0], [0.0]])


@pytest.mark.parametrize(
    ("shape", "counts"),
    [((784,), {1}), ((28, 28), {1, 28}), ((5, 784), {1, 5}), ((5, 28, 28), {5})],
)
def test_how_many_images_a_shape_can_stand_for(shape: tuple[int, ...], counts: set[int]) -> None:
    found = set()
    for count in range(1, 1000):
        with contextlib.suppress(InvalidRequest):
            check_count(np.zeros(shape, np.uint8), answer(count))
            found.add(count)
    assert found == counts
