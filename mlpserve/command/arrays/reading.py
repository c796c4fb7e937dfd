"""Finds arrays in files, checks them, and reads them a block at a time."""

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from mlpserve.command.arrays import idx, npy
from mlpserve.command.arrays.header import GZIP_MAGIC, ArrayError, Header, describe
from mlpserve.images import as_pixels
from mlpserve.shapes import explain_shape

_CHECKED_BYTES = 2**20
_NPZ_MAGIC = b"PK\x03\x04"


def find_array(path: Path) -> Header | None:
    """Return the header of a file that holds an array by its first bytes or its name; None for
    other files.

    Its size is checked against the header, unless it is gzipped: see `check_gzip`. Raises
    ArrayError when the array is damaged or none of images, OSError when the file can't be read.
    """
    with path.open("rb") as file:
        begin = file.read(8)
        name = path.name.lower()
        file.seek(0)
        if begin.startswith(npy.MAGIC) or name.endswith(".npy"):
            header = npy.read_header(file)
        elif name.endswith(".npz") and begin.startswith(_NPZ_MAGIC):
            raise ArrayError(
                "is an archive of arrays; take the images out: "
                "np.save('images.npy', np.load(FILE)[NAME])"
            )
        elif begin.startswith(GZIP_MAGIC):
            if name.endswith(".npy.gz"):
                raise ArrayError("is gzipped, which is for IDX files only; unpack it with gunzip")
            with _explain_damage(), gzip.GzipFile(fileobj=file) as unpacked:
                header = replace(idx.read_header(cast(BinaryIO, unpacked)), is_gzipped=True)
        elif idx.is_idx(begin) or name.endswith((".idx", "-ubyte")):
            header = idx.read_header(file)
        else:
            return None
        if not header.is_gzipped:
            header.check_size(os.fstat(file.fileno()).st_size - header.start)
    if 0 in header.shape:
        raise ArrayError(f"holds no images: its shape is {header.shape}")
    _check_type(header)
    return header


def count_images(header: Header, n_pixels: int) -> int:
    """Return how many images of so many pixels an array holds; raises ArrayError when none.

    As `Client.predict` does, this takes an array of two dimensions for one image (rows, columns)
    if it holds the pixels of one, otherwise for a batch (N, pixels).
    """
    shape = header.shape
    if len(shape) in (1, 2) and math.prod(shape) == n_pixels:
        return 1
    if len(shape) in (2, 3) and math.prod(shape[1:]) == n_pixels:
        return shape[0]
    found = f"images of {describe(shape[1:])} pixels" if len(shape) > 1 else "no images"
    hint = explain_shape(shape, header.dtype == np.uint8)
    if len(shape) == 2 and shape[0] == n_pixels:
        hint = "it looks transposed: save images.T"
    raise ArrayError(
        f"has the shape {shape}: {found}, and those of the model have {n_pixels}; wanted "
        f"(N, {n_pixels}) or (N, rows, columns){hint and '; '}{hint}"
    )


def check_gzip(path: Path, header: Header) -> None:
    """Unpack a file to nowhere, and raise ArrayError when it is damaged or its values have another
    number of bytes than its header says.

    Only this tells, since the length that gzip records proves nothing. It takes bounded memory.
    """
    n_bytes = -header.start
    with _explain_damage(), gzip.open(path) as file:
        while n_bytes <= header.n_bytes and (block := file.read(_CHECKED_BYTES)):
            n_bytes += len(block)
    header.check_size(n_bytes)


def read_blocks(
    path: Path, header: Header, n_images: int, n_block: int
) -> Iterator[npt.NDArray[Any]]:
    """Yield a file's images in order, as arrays (n, pixels) of at most `n_block` of them.

    No more than two blocks are in memory. They are read, not mapped: a file that someone cuts
    meanwhile ends a program that has mapped it. Raises ArrayError when the file is damaged or was
    cut, OSError when it can't be read.
    """
    n_pixels = math.prod(header.shape) // n_images
    with _explain_damage(), _open(path, header) as file:
        file.seek(header.start)
        for first in range(0, n_images, n_block):
            n = min(n_block, n_images - first)
            # One image alone has no images beside it.
            if header.is_fortran and n_images > 1:
                block = _read_columns(file, header, first, n)
            else:
                block = _read_values(file, header.dtype, n * n_pixels)
                if header.is_fortran:
                    block = block.reshape(header.shape, order="F")
            yield block.reshape(n, n_pixels)


def _read_columns(file: BinaryIO, header: Header, first: int, n: int) -> npt.NDArray[Any]:
    """Read some images of an array in Fortran order, where each pixel has its own column."""
    n_images, size = header.shape[0], header.dtype.itemsize
    columns = []
    for column in range(math.prod(header.shape[1:])):
        file.seek(header.start + (column * n_images + first) * size)
        columns.append(_read_values(file, header.dtype, n))
    return np.concatenate(columns).reshape((n, *header.shape[1:]), order="F")


def _read_values(file: BinaryIO, dtype: np.dtype[Any], n: int) -> npt.NDArray[Any]:
    content = file.read(n * dtype.itemsize)
    if len(content) < n * dtype.itemsize:
        raise ArrayError("was cut while it was read")
    return np.frombuffer(content, dtype)


def _open(path: Path, header: Header) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if header.is_gzipped else path.open("rb")


def _check_type(header: Header) -> None:
    if header.dtype.kind in "US":
        raise ArrayError("holds text; save an array of floats, uint8 or bool")
    try:
        as_pixels(np.empty((1, 1), header.dtype))
    except TypeError as error:
        raise ArrayError(str(error)) from error


@contextmanager
def _explain_damage() -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ArrayError(f"is damaged or truncated gzip ({error}); fetch it again") from error
