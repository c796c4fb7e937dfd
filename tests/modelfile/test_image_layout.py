"""The layout of images: what can be said of it, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from modelfile.image_layout import (
    MNIST,
    ImageLayout,
    decode_image_layout,
    encode_image_layout,
)

OTHER = ImageLayout(6, 8, "dark", 1.09, "box", (0.44, 0.0), 1.3)


@pytest.mark.parametrize("layout", [MNIST, OTHER])
def test_what_is_encoded_comes_back(layout: ImageLayout) -> None:
    assert decode_image_layout(encode_image_layout(layout), layout.rows * layout.columns) == layout


def test_no_record_is_no_layout() -> None:
    assert decode_image_layout(None, 784) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows is 0, wanted a positive integer"),
        ({"columns": 28.0}, r"columns is 28\.0, wanted a positive integer"),
        ({"rows": True}, "rows is True, wanted a positive integer"),
        ({"ink": "blue"}, "ink is 'blue', wanted light or dark"),
        ({"centring": None}, "centring is None, wanted mass or box"),
        ({"longest_side": 0}, "longest_side is 0"),
        ({"longest_side": float("nan")}, "longest_side is nan"),
        ({"longest_side": 1e9}, "longest_side is 1000000000.0"),
        ({"flattest": -0.1}, r"flattest is -0\.1, wanted a number in \[0, 10\]"),
        ({"centre": [0.5, float("inf")]}, "centre, right, is inf"),
        ({"centre": [-1, 0.5]}, r"centre, down, is -1\.0, wanted a number in \[0, 1\]"),
        ({"rows": 27}, "27 rows of 28 pixels for 784 inputs"),
    ],
)
def test_what_can_not_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_image_layout(encode_image_layout(MNIST) | changes, 784)


@pytest.mark.parametrize("key", ["rows", "ink", "centre", "flattest"])
def test_what_is_missing_is_named(key: str) -> None:
    record = encode_image_layout(MNIST)
    del record[key]
    with pytest.raises(KeyError, match=key):
        decode_image_layout(record, 784)


def test_it_tells_itself_in_pixels() -> None:
    shown = str(replace(MNIST, longest_side=0.75))
    assert shown == (
        "28 x 28, light ink, longest side 21.0, centre of its mass at 14.0 down and 14.0 right"
    )
