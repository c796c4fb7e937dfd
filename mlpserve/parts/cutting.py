"""Cuts images of any number into parts of a size, and converts no more than a part at once."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from mlpserve.errors import InvalidRequest
from mlpserve.images import Pixels, as_pixels
from mlpserve.shapes import explain_shape

MAX_PART_IMAGES = 4096
"""What a server accepts in one call by default."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large parts become, by their pixels as they travel, and how many may be in flight; see
    benchmarks/big_inputs.py.
    """

    part_bytes: int = 1 << 20
    part_images: int = MAX_PART_IMAGES
    parts_ahead: int = 4
    bytes_ahead: int = 8 << 20


LIMITS = Limits()

_TABLE, _MAX_DIMENSIONS = 2, 3


@dataclass(slots=True)
class _Item:
    """An array that the caller gave, of which the rows before `begin` are cut already.

    Rows are images, unless a two-dimensional array is one image; an image (P,) is one row.
    """

    index: int
    images: Any
    shape: tuple[int, ...]
    number_bytes: int
    n_rows: int
    row_numbers: int
    begin: int = 0

    @classmethod
    def of(cls, index: int, images: Any, shape: tuple[int, ...]) -> "_Item":
        n_rows = shape[0] if len(shape) > 1 else 1
        return cls(index, images, shape, number_bytes(images), n_rows, math.prod(shape) // n_rows)

    @property
    def size(self) -> int:
        return self.n_rows * self.row_numbers


@dataclass(slots=True, eq=False)
class _Piece:
    """Rows of an item, converted."""

    item: _Item
    begin: int
    end: int
    pixels: Pixels

    def count(self, image_pixels: int) -> int:
        """Return how many images it holds; raises InvalidRequest when their size differs."""
        item, rows = self.item, self.end - self.begin
        is_one = len(item.shape) < _MAX_DIMENSIONS and item.size == image_pixels
        if not is_one and item.row_numbers != image_pixels:
            hint = explain_shape(item.shape, item.number_bytes == 1)
            raise InvalidRequest(
                f"images has shape {item.shape}, and the model's images have {image_pixels} pixels"
                f"{hint and '; '}{hint}"
            )
        return 1 if is_one else rows


@dataclass(slots=True)
class Part:
    """What is sent in one call: `n_images` at most, while the size of an image isn't known."""

    pieces: list[_Piece] = field(default_factory=list)
    n_bytes: int = 0
    n_images: int = 0
    n_kept: int = 0

    def keep(self) -> None:
        """Make its numbers its own, since whoever gave the arrays may fill them anew."""
        for piece in self.pieces[self.n_kept :]:
            piece.pixels = piece.pixels.copy()
            if piece.end - piece.begin == piece.item.n_rows:
                piece.item.images = piece.pixels
        self.n_kept = len(self.pieces)

    @property
    def is_counted(self) -> bool:
        """Whether `n_images` holds whatever the size of an image is."""
        return all(
            len(piece.item.shape) != _TABLE or piece.end - piece.begin < piece.item.n_rows
            for piece in self.pieces
        )

    @property
    def pixels(self) -> Pixels:
        """Its pixels, image after image."""
        if len(self.pieces) == 1:
            return self.pieces[0].pixels
        return cast(Pixels, np.concatenate([piece.pixels.reshape(-1) for piece in self.pieces]))


class Cutter:
    """Takes arrays of images, gives parts.

    Images are an array or whatever has a shape and can be sliced, as memory-mapped files and data
    sets of other libraries; a slice is read when its part is cut.

    Parameters
    ----------
    are_items
        Whether the arrays are the items of an iterable, which errors then name.
    limits
        How large parts become; an image that is larger is a part of its own.
    """

    def __init__(self, *, are_items: bool = True, limits: Limits = LIMITS) -> None:
        self._are_items = are_items
        self._max_bytes, self._max_images = limits.part_bytes, limits.part_images
        self._items: deque[_Item] = deque()
        self._open = Part()
        self._n_items = 0
        self._are_tables_images = False
        self.image_pixels = 0
        """How many pixels an image has; 0 until an answer tells."""

    def add(self, images: Any) -> None:
        """Take the next array; raises TypeError and ValueError when it can't be sent, and
        InvalidRequest when its images have another size than the model's.
        """
        index, self._n_items = self._n_items, self._n_items + 1
        try:
            array = images if is_sliceable(images) else as_pixels(images)
            shape = tuple(array.shape)
            if not 1 <= len(shape) <= _MAX_DIMENSIONS or 0 in shape:
                as_pixels(array)
        except (TypeError, ValueError) as error:
            raise self._named(error, index) from error
        self._items.append(_Item.of(index, array, shape))

    def next_part(self, *, is_end: bool = False) -> Part | None:
        """Return the next part, None when it needs more arrays to be full; raises as `add`.

        `is_end`: no more arrays come.
        """
        while self._items:
            item = self._items[0]
            rows = self._rows_that_fit(item)
            if not rows or not self._take(item, rows):
                return self._close()
            another = self._open.n_bytes + item.row_numbers * item.number_bytes
            if another > self._max_bytes or self._open.n_images >= self._max_images:
                return self._close()
        if is_end and self._open.pieces:
            return self._close()
        if self._are_items:
            self._open.keep()
        return None

    def count(self, part: Part) -> int:
        """Return how many images a part holds, now that their size is known; raises InvalidRequest
        when theirs is another.
        """
        total = 0
        for piece in part.pieces:
            try:
                total += piece.count(self.image_pixels)
            except InvalidRequest as error:
                raise self._named(error, piece.item.index) from None
        return total

    def halve(self, part: Part) -> bool:
        """Take back the first part, for parts half as large; False if it is one image."""
        if part.n_images <= 1:
            return False
        self._put_back(part)
        self._max_bytes, self._max_images = max(1, part.n_bytes // 2), part.n_images // 2
        return True

    def make_one_image(self, part: Part) -> bool:
        """Take back the first part, whose table (rows, columns) may be one image instead of a
        batch (N, P); False if it is none that was cut.
        """
        piece = part.pieces[-1]
        is_cut = len(piece.item.shape) < _MAX_DIMENSIONS and piece.end < piece.item.n_rows
        if not is_cut or self.image_pixels or self._are_tables_images:
            return False
        self._put_back(part)
        self._are_tables_images = True
        return True

    def _is_one_image(self, item: _Item) -> bool:
        if len(item.shape) == _MAX_DIMENSIONS:
            return False
        is_table_image = self._are_tables_images and not self.image_pixels
        return len(item.shape) == 1 or item.size == self.image_pixels or is_table_image

    def _rows_that_fit(self, item: _Item) -> int:
        """Return how many of an item's rows go into the open part; 0 if it is to be closed first.

        What fits into a part of its own is not cut.
        """
        row_bytes = item.row_numbers * item.number_bytes
        rows = item.n_rows - item.begin
        is_one = self._is_one_image(item)
        images = 1 if is_one else rows
        room_bytes = self._max_bytes - self._open.n_bytes
        room_images = self._max_images - self._open.n_images
        if rows * row_bytes <= room_bytes and images <= room_images:
            return rows
        is_empty = not self._open.pieces
        if is_one:
            return rows if is_empty else 0
        if not is_empty and rows * row_bytes <= self._max_bytes and rows <= self._max_images:
            return 0
        return max(int(is_empty), min(room_bytes // row_bytes, room_images))

    def _take(self, item: _Item, rows: int) -> bool:
        """Move rows into the open part; False if it holds numbers of another type."""
        begin, end = item.begin, item.begin + rows
        try:
            pixels = as_pixels(item.images[begin:end] if rows < item.n_rows else item.images)
        except (TypeError, ValueError) as error:
            raise self._named(error, item.index) from error
        part = self._open
        if part.pieces and part.pieces[0].pixels.dtype != pixels.dtype:
            return False
        part.pieces.append(_Piece(item, begin, end, pixels))
        part.n_bytes += pixels.nbytes
        part.n_images += 1 if self._is_one_image(item) else rows
        item.begin = end
        if end == item.n_rows:
            self._items.popleft()
        return True

    def _close(self) -> Part:
        part, self._open = self._open, Part()
        return part

    def _put_back(self, part: Part) -> None:
        for piece in reversed(part.pieces):
            piece.item.begin = piece.begin
            if not self._items or self._items[0] is not piece.item:
                self._items.appendleft(piece.item)

    def _named(self, error: Exception, index: int) -> Exception:
        return type(error)(f"item {index}: {error}") if self._are_items else error


def is_sliceable(images: Any) -> bool:
    """Return whether it is an array, or looks like one that may be read piece by piece."""
    if isinstance(images, np.ndarray):
        return True
    return isinstance(getattr(images, "shape", None), tuple) and hasattr(images, "__getitem__")


def number_bytes(array: Any) -> int:
    """Return how many bytes each number has when it travels."""
    if isinstance(array, np.ndarray):
        return 1 if array.dtype.char in "B?" else 4
    return 1 if str(getattr(array, "dtype", "")).endswith(("uint8", "bool")) else 4
