"""Ranges are read from any of their texts, and what is not a range is refused."""

import numpy as np
import pytest

from modelfile.input_range import FINITE, MAX_FLOAT32, PIXELS, InputRange, parse


@pytest.mark.parametrize(
    ("text", "wanted", "shown"),
    [
        ("[0, 1]", PIXELS, "[0, 1]"),
        ("0,1", PIXELS, "[0, 1]"),
        ("-0.0,1e0", PIXELS, "[0, 1]"),
        ("finite", FINITE, "finite"),
        ("[-3.4028235e38, 3.4028235e38]", FINITE, "finite"),
        ("-1,1", InputRange(-1, 1), "[-1, 1]"),
        ("[0.1, 255.5]", InputRange(0.1, 255.5), "[0.1, 255.5]"),
        ("[ -1e38 ,1e-7]", InputRange(-1e38, 1e-7), "[-1e+38, 1e-07]"),
    ],
)
def test_texts(text: str, wanted: InputRange, shown: str) -> None:
    found = parse(text)
    assert found == wanted
    assert str(found) == shown
    assert parse(shown) == found
    # What checks pixels tells them apart by their identity.
    assert (found is PIXELS) == (wanted == PIXELS)
    assert (found is FINITE) == (wanted == FINITE)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Finite", "1", "[0, 1", "0, 1]", "[0, 1, 2]", "[1, 0]", "[1, 1]", "{}", "null"),
        *("[nan, 1]", "[NaN, 1]", "[0, inf]", "[0, Infinity]", "[-1e39, 0]", "[0, 1e400]"),
        *("[true, 2]", '["0", "1"]', "[[0], [1]]", "[0.1, 0.1000000001]", "[" * 100_000),
        *("[0, " + "9" * 400 + "]", "[0, " + "9" * 5000 + "]"),
    ],
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not an input range; wanted finite, or \[low"
    ) as caught:
        parse(text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (np.nan, 1), (0, np.inf), (-1e39, 1)])
def test_bounds_that_make_no_range(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not a range of float32"):
        InputRange(*bounds)


def test_bounds_are_float32_so_that_they_are_in_the_range() -> None:
    found = InputRange(-0.1, 0.7)
    assert (found.low, found.high) == (float(np.float32(-0.1)), float(np.float32(0.7)))
    assert found.accepts(np.array([-0.1, 0.7], np.float32))


@pytest.mark.parametrize(
    ("found", "margin"),
    [
        (PIXELS, 1e-6),
        (InputRange(-1, 1), 1e-6),
        (InputRange(0, 255), 255e-6),
        (InputRange(-1e-3, 0), 1e-9),
        (InputRange(1000, 1001), 1001e-6),
        (InputRange(-1e30, 1), 1e24),
    ],
)
def test_rounding_at_both_ends_is_accepted_and_no_more(found: InputRange, margin: float) -> None:
    for bound, outwards in ((found.low, -1), (found.high, 1)):
        for share in (0, 1e-3, 0.1, 0.5, 0.9):
            number = np.array([bound + share * margin * outwards], np.float32)
            assert found.accepts(number), number
        for share in (1.5, 2, 1e3, 1e5):
            number = np.array([bound + share * margin * outwards], np.float32)
            assert not found.accepts(number), number


@pytest.mark.parametrize(
    "computed",
    [
        np.float32(0.1) + np.float32(0.7) + np.float32(0.2),
        np.float32(255) * (np.float32(1) / np.float32(255)),
        np.nextafter(np.float32(1), np.float32(2)),
        np.float32(1) - np.float32(0.9) - np.float32(0.1),
        1.0000001,
        -1e-7,
        -1e-45,
    ],
)
def test_what_arithmetic_makes_of_pixels_is_accepted(computed: float) -> None:
    assert PIXELS.accepts(np.array([0, computed, 1], np.float32))


def test_no_rounding_makes_an_infinity_finite() -> None:
    for found in (FINITE, InputRange(0, MAX_FLOAT32), InputRange(-MAX_FLOAT32, 0)):
        assert found.accepts(np.array([found.low, found.high], np.float32))
        assert not found.accepts(np.array([np.inf], np.float32))
        assert not found.accepts(np.array([-np.inf], np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("found", [PIXELS, FINITE, InputRange(-2, 5)])
def test_no_range_holds_what_is_not_finite(found: InputRange, bad: float) -> None:
    for place in range(20):
        numbers = np.full((4, 5), 0.5, np.float32)
        assert found.accepts(numbers)
        numbers.flat[place] = bad
        assert not found.accepts(numbers)


def test_a_signalling_nan_raises_no_warning() -> None:
    bits = np.zeros(100, np.uint32)
    bits[7] = 0x7FA00000
    assert not FINITE.accepts(bits.view(np.float32))


def test_words() -> None:
    assert PIXELS.describe("numbers") == "numbers in [0, 1]"
    assert InputRange(-1, 1).describe("number") == "number in [-1, 1]"
    assert FINITE.describe("numbers") == "finite numbers"


def test_shares_lie_in_the_range_and_are_the_pixels_themselves() -> None:
    shares = np.array([0, 0.1, 0.7, 1], np.float32)
    np.testing.assert_array_equal(PIXELS.at(shares), shares)
    for found in (InputRange(-1, 3), InputRange(5, 6), InputRange(-MAX_FLOAT32, 1.0)):
        numbers = found.at(shares)
        assert numbers.dtype == np.float32
        assert (numbers[0], numbers[-1]) == (found.low, found.high)
        assert found.accepts(numbers)
    assert np.abs(FINITE.at(shares)).max() < 10
