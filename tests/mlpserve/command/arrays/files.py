"""Writes files of arrays, good and bad ones."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CODES = {
    "uint8": 0x08,
    "int8": 0x09,
    "int16": 0x0B,
    "int32": 0x0C,
    "float32": 0x0D,
    "float64": 0x0E,
}


def idx_bytes(array: npt.NDArray[Any]) -> bytes:
    """An array as an IDX file."""
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim])
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def save_idx(path: Path, array: npt.NDArray[Any]) -> Path:
    """Write an array as an IDX file, gzipped if its name says so."""
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def save_npy(path: Path, array: npt.NDArray[Any]) -> Path:
    """Write an array as an .npy file."""
    np.save(path, array, allow_pickle=True)
    return path


def npy_bytes(header: str, values: bytes = b"") -> bytes:
    """An .npy file whose header a test writes."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values
