"""Tells what goes in one call from what is sent in parts."""

import math
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy.typing as npt

from mlpserve.images import as_pixels
from mlpserve.parts.cutting import MAX_PART_IMAGES, is_sliceable, number_bytes

Images: TypeAlias = npt.ArrayLike | Iterable[npt.ArrayLike]
"""An array of images, or any number of arrays, one after the other."""

FEW_BYTES = MAX_PART_IMAGES
"""An array of so many bytes is not large, whatever its shape is: images have a byte or more."""

_MIN_DIMENSIONS = 2
"""Fewer are one image."""

AsyncImages: TypeAlias = Images | AsyncIterable[npt.ArrayLike]

MAX_CALL_NUMBERS = 1 << 20
"""Floats that are sent in one call, 4 MiB; of uint8 four times as many."""


def is_large(images: Any) -> bool:
    """Return whether images are sent in parts: a large array, or an iterable of arrays."""
    if not is_sliceable(images):
        return _is_iterable(images)
    shape: tuple[int, ...] = images.shape
    if len(shape) < _MIN_DIMENSIONS:
        return False
    size = math.prod(shape)
    if shape[0] > MAX_PART_IMAGES or size > 4 * MAX_CALL_NUMBERS:
        return True
    return size > MAX_CALL_NUMBERS and number_bytes(images) > 1


def items_of(images: Any) -> tuple[Iterator[Any], bool]:
    """Return arrays of images one after the other, and whether they were items of an iterable."""
    if is_sliceable(images):
        return iter((images,)), False
    return (iter(images), True) if _is_iterable(images) else (iter((as_pixels(images),)), False)


def count_images(images: Any) -> int | None:
    """Return how many images an array holds, None for an iterable."""
    shape: Any = getattr(images, "shape", ())
    return int(shape[0]) if len(shape) >= _MIN_DIMENSIONS else None


def _is_iterable(images: Any) -> bool:
    """Return whether it can only be iterated over: sequences and buffers become arrays."""
    is_array = hasattr(images, "__getitem__") or hasattr(images, "__array__")
    return hasattr(images, "__iter__") and not is_array
