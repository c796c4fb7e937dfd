"""Reads the headers of IDX files, MNIST's format."""

import struct
from typing import BinaryIO

import numpy as np

from mlpserve.command.arrays.header import ArrayError, Header

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""NumPy's names of IDX's types."""

MAX_DIMENSIONS = 8


def is_idx(begin: bytes) -> bool:
    """Tell whether a file that begins so is an IDX file; no picture begins like one."""
    return (
        len(begin) >= 4
        and begin[:2] == b"\0\0"
        and begin[2] in TYPES
        and 1 <= begin[3] <= MAX_DIMENSIONS
    )


def read_header(file: BinaryIO) -> Header:
    """Return the header of an IDX file, which is open at its begin.

    The format is that of http://yann.lecun.com/exdb/mnist: two zero bytes, the type's code, the
    number of dimensions, each dimension as a big-endian 32-bit integer, then the values. Raises
    ArrayError for anything else.
    """
    begin = file.read(4)
    if not is_idx(begin):
        raise ArrayError(
            f"is not an IDX file: it begins with {begin.hex(' ') or 'nothing'}, wanted 00 00, "
            "the type of the values (08 for bytes) and the number of dimensions (03 for images)"
        )
    n_dimensions = begin[3]
    sizes = file.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise ArrayError("is truncated in its header; fetch it again")
    shape = struct.unpack(f">{n_dimensions}I", sizes)
    if n_dimensions == 1:
        raise ArrayError("has one dimension, as MNIST's labels have; give the file of the images")
    return Header(shape, np.dtype(TYPES[begin[2]]), 4 + 4 * n_dimensions)
