"""Reads the headers of NumPy's .npy files; nothing in them is ever run."""

import warnings
from typing import BinaryIO

import numpy as np

from mlpserve.command.arrays.header import ArrayError, Header

MAGIC = np.lib.format.MAGIC_PREFIX
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_header(file: BinaryIO) -> Header:
    """Return the header of an .npy file, which is open at its begin; raises ArrayError."""
    try:
        version = np.lib.format.read_magic(file)
        reader = _READERS.get(version)
        if reader is None:
            # 3.0 is for names of fields, which images have none of.
            raise ArrayError(f"has .npy's format {version}; save it again, as a plain array")
        with warnings.catch_warnings():
            # Of headers that Python 2 wrote.
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = reader(file)
    except ArrayError:
        raise
    except Exception as error:
        # NumPy evaluates the header's text, and raises what it comes to.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArrayError(f"is not a valid .npy file: {reason}; save it again") from error
    if dtype.hasobject:
        raise ArrayError(
            "holds Python objects, which only pickle could read, and pickle may run any code; save "
            "an array of floats, uint8 or bool"
        )
    if dtype.subdtype is not None:
        raise ArrayError(f"has values that are arrays themselves, {dtype}; save a plain array")
    if any(size < 0 for size in shape):
        raise ArrayError(f"is not a valid .npy file: its shape is {shape}; save it again")
    return Header(shape, dtype, file.tell(), is_fortran=is_fortran and len(shape) > 1)
