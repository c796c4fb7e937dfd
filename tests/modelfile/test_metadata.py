"""What is encoded is decoded again, and what can't be used is refused with a reason."""

import json
from dataclasses import replace

import numpy as np
import pytest

from modelfile import reference
from modelfile.activations import ACTIVATIONS
from modelfile.input_range import FINITE, MAX_FLOAT32, PIXELS, InputRange
from modelfile.layout import OPERATORS
from modelfile.metadata import (
    Metadata,
    MetadataError,
    decode,
    decode_object,
    encode,
    weights_sha256,
)

REFERENCE = reference.Reference(
    dict.fromkeys(reference.DEFAULT_BOUNDS, (0.25, 0.5)),
    {
        reference.LABELS: (0.75, 0.25),
        **dict.fromkeys(reference.DEFAULT_BOUNDS, (0.5, 0.25, 0.25)),
    },
)
METADATA = Metadata(
    labels=("no", "yes \N{CHECK MARK}"),
    layer_sizes=(4, 3, 2),
    activations=("relu", "softmax"),
    weights_sha256="0" * 64,
    golden_pixels=np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4),
    golden_activations=np.array([[0.25, 0.75], [1, 0]], np.float32),
    reference=REFERENCE,
)


def entries(**changed: str) -> dict[str, bytes]:
    encoded = encode(METADATA, {"seed": 1}, {"images": 2}) | changed
    return {key: value.encode() for key, value in encoded.items()}


def test_what_is_encoded_is_decoded() -> None:
    decoded = decode(entries())
    for name in ("labels", "layer_sizes", "activations", "weights_sha256", "reference"):
        assert getattr(decoded, name) == getattr(METADATA, name)
    assert decoded.parameters == 4 * 3 + 3 + 3 * 2 + 2
    np.testing.assert_array_equal(decoded.golden_pixels, METADATA.golden_pixels)
    np.testing.assert_array_equal(decoded.golden_activations, METADATA.golden_activations)
    assert decode_object(entries(), "provenance") == {"seed": 1}
    assert decode_object(entries(), "evaluation") == {"images": 2}


def test_a_model_that_was_not_measured_has_the_default_bounds() -> None:
    unmeasured = {key: value for key, value in entries().items() if key != "reference"}
    assert decode(unmeasured).reference == reference.UNMEASURED


@pytest.mark.parametrize("given", [PIXELS, FINITE, InputRange(-1, 255)])
def test_the_range_of_inputs(given: InputRange) -> None:
    encoded = encode(replace(METADATA, input_range=given), {})
    # Files without it, as there are many, are those of pixels.
    assert encoded.get("input_range", "[0, 1]") == str(given)
    assert ("input_range" in encoded) == (given != PIXELS)
    decoded = decode({key: value.encode() for key, value in encoded.items()})
    assert decoded.input_range == given
    assert (decoded.input_range is PIXELS) == (given == PIXELS)


@pytest.mark.parametrize(
    "text", ["", "[1, 0]", "[0, 0]", "[nan, 1]", "[0, inf]", "[0]", "7", '["a", "b"]', "x" * 2**21]
)
def test_what_is_no_range_of_inputs(text: str) -> None:
    with pytest.raises(MetadataError, match="an input_range that can't be used: ") as caught:
        decode(entries(input_range=text))
    assert caught.value.reason == "metadata"


def test_ink_that_was_not_measured_is_counted_in_the_range() -> None:
    pixels, finite, wide = map(
        reference.unmeasured, (PIXELS, FINITE, InputRange(-MAX_FLOAT32, MAX_FLOAT32 / 2))
    )
    assert pixels is reference.UNMEASURED
    for found in (finite, wide, reference.unmeasured(InputRange(-1, 1))):
        bounds = found.bounds[reference.INK]
        assert sorted({*bounds}) == list(bounds)
        assert np.isfinite(bounds).all()
        assert bounds[0] < 0 < bounds[-1]
        assert found.bounds.keys() == reference.DEFAULT_BOUNDS.keys()


@pytest.mark.parametrize("part", ["labels", "winning_activation", "margin", "ink"])
def test_reference_with_a_share_too_many_is_refused(part: str) -> None:
    record = reference.encode_reference(REFERENCE)
    shares = record[part] if part == "labels" else record[part]["shares"]
    shares.append(0.0)
    with pytest.raises(MetadataError, match="reference: "):
        decode(entries(reference=json.dumps(record)))


@pytest.mark.parametrize("bounds", [[], [0.5, 0.25], [0.5, 0.5], [0.5, float("inf")]])
def test_bounds_that_are_not_ascending_numbers_are_refused(bounds: list[float]) -> None:
    record = reference.encode_reference(REFERENCE)
    record["ink"] = {"bounds": bounds, "shares": [0.0] * (len(bounds) + 1)}
    with pytest.raises(MetadataError, match="the bounds of ink are not ascending"):
        decode(entries(reference=json.dumps(record)))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("format", "mlpserve/2", "format"),
        ("labels", '["no"]', "signature"),
        ("layer_activations", '["relu", "magic"]', "metadata"),
        ("golden_activations", "", "metadata"),
        ("golden_activations", "AAAAAAAAAAA=", "golden_examples"),
        ("golden_pixels", "AAAA", "metadata"),
        ("parameters", "22", "metadata"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(key: str, value: str, reason: str) -> None:
    with pytest.raises(MetadataError) as caught:
        decode(entries(**{key: value}))
    assert caught.value.reason == reason


def test_each_activation_has_an_operator_or_none() -> None:
    assert OPERATORS.keys() == ACTIVATIONS.keys()


def test_weights_are_hashed_as_little_endian_rows() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert weights_sha256([rows.T]) == weights_sha256([np.ascontiguousarray(rows.T)])
    assert weights_sha256([rows.T]) != weights_sha256([rows])
    assert weights_sha256([rows]) == weights_sha256([rows[:1], rows[1:]])
