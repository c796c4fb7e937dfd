"""Numbers are checked against the model's range, and the first one outside of it is named."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.network.network import Batch
from modelfile.input_range import FINITE, MAX_FLOAT32, PIXELS, InputRange
from server.errors import InvalidField
from server.running.overflow import refuse_overflows
from server.running.pixels import are_valid, find_bad_pixel
from server.running.refusals import MAX_CHARACTERS, list_refused
from server.running.request import Request

RANGES = [PIXELS, FINITE, InputRange(-1, 1), InputRange(3, 4), InputRange(-4, -3)]
ODD = [
    *(np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-45, 1.0, -1.0),
    *(np.nextafter(np.float32(1), np.float32(2)), 255.0, MAX_FLOAT32, -MAX_FLOAT32, 3.5, -3.5),
]


@dataclass(slots=True, eq=False)
class Part:
    request: Request
    pixels: memoryview
    size: int


def part(batch: Batch) -> Part:
    request = Request(
        "",
        0,
        is_bytes=False,
        field="pixels",
        write=lambda _answer, _identifier: b"",
        measure=lambda _model, _images: 0,
    )
    return Part(request, memoryview(batch.tobytes()), len(batch))


@pytest.mark.parametrize("wanted", RANGES, ids=str)
@pytest.mark.parametrize("number", ODD)
def test_a_number_is_in_the_range_or_named(wanted: InputRange, number: float) -> None:
    batch = wanted.at(np.full((3, 5), 0.5, np.float32))
    assert are_valid(batch, wanted)
    batch[1, 3] = number
    is_in = bool(wanted.min_accepted <= batch[1, 3] <= wanted.max_accepted)
    # The quick check may be too strict, and never too lax.
    assert is_in or not are_valid(batch, wanted)
    found = find_bad_pixel(part(batch), wanted)
    assert (found is None) == is_in
    if found is not None:
        assert found.reason == ("pixel_range" if np.isfinite(number) else "not_finite")
        assert f"image 1, pixel 3 is {batch[1, 3]:g}; every pixel must be a " in found.message
        assert f"a {wanted.describe('number')} (" in found.message


def test_most_batches_need_one_check() -> None:
    random = np.random.default_rng(1)
    for wanted in RANGES:
        images = wanted.at(random.random((600, 7), np.float32))
        assert are_valid(images, wanted)
        if wanted is not FINITE:
            images[500, 3], images[501, 3] = wanted.min_accepted, wanted.max_accepted
            assert are_valid(images, wanted)
    large = np.full((2, 5), 1e38, np.float32)
    assert not are_valid(large, FINITE)
    assert find_bad_pixel(part(large), FINITE) is None


def test_the_first_bad_pixel_is_named_with_the_digits_that_matter() -> None:
    batch = np.zeros((70, 9), np.float32)
    batch[2, 8] = batch[69, 0] = np.float32(1.000002)
    found = find_bad_pixel(part(batch), PIXELS)
    assert found is not None
    assert found.message.startswith("pixels: image 2, pixel 8 is 1.000002; every pixel must be")


@given(st.lists(st.booleans(), min_size=1, max_size=400).map(np.array))
def test_programs_are_told_which_images_are_refused(are_refused: npt.NDArray[np.bool_]) -> None:
    told = list_refused(are_refused)
    if len(are_refused) == 1:
        # It is the only one.
        assert told == {}
        return
    assert int(told["batch"]) == len(are_refused)
    assert len(told["images"]) <= MAX_CHARACTERS
    listed = [
        index
        for span in filter(None, told["images"].split(","))
        for index in range(int(span.split("-")[0]), int(span.split("-")[-1]) + 1)
    ]
    refused = np.flatnonzero(are_refused).tolist()
    assert listed == refused[: len(listed)]
    assert len(listed) == len(refused) or len(told["images"]) > MAX_CHARACTERS - 10


def test_all_bad_images_are_listed() -> None:
    batch = np.zeros((9, 4), np.float32)
    batch[2, 3], batch[5, 0], batch[6, 1] = np.nan, 7, -1
    found = find_bad_pixel(part(batch), PIXELS)
    assert found is not None
    assert found.refused == {"images": "2,5-6", "batch": "9"}


def test_activations_that_are_not_finite_cost_their_own_part() -> None:
    activations = np.zeros((6, 2), np.float32)
    parts = [part(np.zeros((size, 1), np.float32)) for size in (1, 3, 2)]
    assert refuse_overflows(parts, activations, ()) == ()
    activations[3, 1] = np.nan
    before = InvalidField("not_finite", "pixels: image 0, pixel 0 is nan", "pixels")
    first, second, third = refuse_overflows(parts, activations, [before, None, None])
    assert (first, third) == (before, None)
    assert second is not None
    assert (second.reason, second.field) == ("overflow", "pixels")
    assert "image 2 makes activations overflow float32; send" in second.message
    assert second.refused == {"images": "2", "batch": "3"}
    activations[0] = np.inf
    errors = refuse_overflows(parts, activations, ())
    assert [error and error.reason for error in errors] == ["overflow", "overflow", None]
