"""Arrays of all kinds become parts of a size, which hold each image once and in order."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpserve import InvalidRequest
from mlpserve.images import Pixels
from mlpserve.parts.cutting import Cutter, Limits, Part

SIDE = 3
P = SIDE * SIDE
FLOAT_BYTES = 4


def cut(items: Iterable[Any], image_pixels: int = P, **limits: Any) -> list[Part]:
    """All parts of some arrays."""
    cutter = Cutter(limits=Limits(**limits))
    cutter.image_pixels = image_pixels
    parts = []
    for item in items:
        cutter.add(item)
        while (part := cutter.next_part()) is not None:
            parts.append(part)
    while (part := cutter.next_part(is_end=True)) is not None:
        parts.append(part)
    return parts


def numbered(begin: int, n_images: int) -> npt.NDArray[np.float32]:
    """Images whose pixels all tell their number."""
    numbers = np.arange(begin, begin + n_images, dtype=np.float32)
    return np.repeat(numbers, P).reshape(n_images, P)


def numbers_of(pixels: Pixels) -> list[int]:
    return [int(number) for number in pixels.reshape(-1, P)[:, 0]]


Items = list[npt.NDArray[Any]]


@st.composite
def items(draw: st.DrawFn) -> Items:
    """Images alone and in batches, flat and square, of different types."""
    found, n_images = [], 0
    for count, form, kind in draw(
        st.lists(
            st.tuples(
                st.integers(1, 12),
                st.sampled_from(["flat", "square", "alone", "alone square"]),
                st.sampled_from([np.float32, np.float64, np.uint8, np.float16]),
            ),
            min_size=1,
            max_size=12,
        )
    ):
        shape: tuple[int, ...] = (SIDE, SIDE) if "square" in form else (P,)
        if "alone" not in form:
            shape = (count, *shape)
        n_new = 1 if "alone" in form else count
        found.append(numbered(n_images, n_new).reshape(shape).astype(kind))
        n_images += n_new
    return found


@given(items(), st.sampled_from([0, P]), st.integers(1, 20 * P * FLOAT_BYTES), st.integers(1, 20))
def test_each_image_is_in_one_part_and_in_order(
    arrays: Items, image_pixels: int, max_bytes: int, max_images: int
) -> None:
    if not image_pixels:
        # Whether a table is one image or a batch only the model knows.
        arrays = [
            array.reshape(1, *array.shape) if array.shape == (3, 3) else array for array in arrays
        ]
    parts = cut(arrays, image_pixels, part_bytes=max_bytes, part_images=max_images)
    n_images = sum(array.size for array in arrays) // P
    assert [n for part in parts for n in numbers_of(part.pixels)] == list(range(n_images))
    for part in parts:
        images = part.pixels.size // P
        assert part.n_bytes == part.pixels.nbytes
        assert images <= max_images
        assert part.n_bytes <= max_bytes or images == 1


def test_parts_are_full() -> None:
    parts = cut([numbered(0, 25)], part_bytes=10 * P * FLOAT_BYTES)
    assert [len(part.pixels) for part in parts] == [10, 10, 5]
    parts = cut(numbered(0, 25), part_bytes=10 * P * FLOAT_BYTES)
    assert [part.n_images for part in parts] == [10, 10, 5]
    parts = cut([numbered(0, 25)], part_images=20)
    assert [part.n_images for part in parts] == [20, 5]


def test_what_fits_into_a_part_is_not_cut() -> None:
    batches = [numbered(begin, 6) for begin in (0, 6, 12)]
    parts = cut(batches, part_images=10)
    assert [part.n_images for part in parts] == [6, 6, 6]
    assert all(len(part.pieces) == 1 for part in parts)


class Watched:
    """A file of images that tells what is read of it."""

    shape = (1000, P)
    dtype = np.dtype(np.float64)

    def __init__(self) -> None:
        self.read: list[slice] = []

    def __getitem__(self, rows: slice) -> npt.NDArray[np.float64]:
        self.read.append(rows)
        return np.zeros((rows.stop - rows.start, P))


def test_no_more_is_read_than_the_part_that_is_cut() -> None:
    cutter, file = Cutter(limits=Limits(part_images=100)), Watched()
    cutter.add(file)
    assert not file.read
    cutter.next_part()
    assert file.read == [slice(0, 100)]
    cutter.next_part()
    assert file.read == [slice(0, 100), slice(100, 200)]


def test_an_image_that_is_larger_than_a_part_is_one() -> None:
    parts = cut([numbered(0, 3), numbered(3, 1)[0]], part_bytes=1)
    assert [part.pixels.size for part in parts] == [P] * 4


def test_floats_and_bytes_share_no_part() -> None:
    parts = cut([numbered(0, 2), numbered(2, 2).astype(np.uint8), numbered(4, 1)])
    assert [part.pixels.dtype.char for part in parts] == ["f", "B", "f"]


def test_an_iterable_may_fill_its_array_anew() -> None:
    cutter, array = Cutter(), np.empty(P, np.float32)
    for number in range(5):
        array[:] = number
        cutter.add(array)
        assert cutter.next_part() is None
    array[:] = 9
    part = cutter.next_part(is_end=True)
    assert part is not None
    assert numbers_of(part.pixels) == [0, 1, 2, 3, 4]
    assert cutter.halve(part)
    part = cutter.next_part()
    assert part is not None
    assert numbers_of(part.pixels) == [0, 1]


def test_halving_takes_back_what_was_cut() -> None:
    cutter = Cutter(limits=Limits(part_images=8))
    cutter.add(numbered(0, 9))
    sizes = []
    while True:
        part = cutter.next_part()
        assert part is not None
        assert numbers_of(part.pixels) == list(range(part.n_images))
        sizes.append(part.n_images)
        if not cutter.halve(part):
            break
    assert sizes == [8, 4, 2, 1]
    assert [part.n_images for part in iter(lambda: cutter.next_part(is_end=True), None)] == [1] * 8


def test_a_table_may_be_one_image() -> None:
    cutter = Cutter(limits=Limits(part_images=8))
    table = numbered(0, 10)
    cutter.add(table)
    part = cutter.next_part()
    assert part is not None
    assert part.n_images == 8
    assert part.is_counted
    assert cutter.make_one_image(part)
    part = cutter.next_part(is_end=True)
    assert part is not None
    assert part.pixels is table
    assert not cutter.make_one_image(part)
    cutter.image_pixels = table.size
    assert cutter.count(part) == 1


@pytest.mark.parametrize("shape", [(2, P + 1), (2, SIDE, SIDE + 1), (P - 1,)])
def test_images_of_another_size_are_named(shape: tuple[int, ...]) -> None:
    *_, part = cut([numbered(0, 1), np.zeros(shape, np.float32)])
    cutter = Cutter()
    cutter.image_pixels = P
    with pytest.raises(InvalidRequest, match=r"^item 1: images has shape .* images have 9 pixels$"):
        cutter.count(part)


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (np.zeros((2, P), np.int64), TypeError, "item 1: images has the type int64"),
        (np.zeros((0, P)), ValueError, r"item 1: images has shape \(0, 9\): the batch is empty"),
        (3.0, ValueError, r"item 1: images has shape \(\)"),
        ("seven", TypeError, "item 1: images is 'seven': give an array"),
        ([[1.0], [1.0, 2.0]], ValueError, "item 1: images differ in shape"),
    ],
)
def test_what_cannot_be_sent_is_named(item: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cut([numbered(0, 1), item])
