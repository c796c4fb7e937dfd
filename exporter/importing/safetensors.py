"""From PyTorch: a state dict in a safetensors file, read without PyTorch."""

import numpy as np
from safetensors import SafetensorError, deserialize

from exporter.files import READ_ERRORS
from exporter.importing.source import Array
from exporter.network.weights_file import WeightsError

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "?",
}
"""Those of the format that NumPy knows, little-endian as all safetensors files are."""


def read(content: bytes) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the named arrays of a safetensors file, and notes on what was converted.

    A bfloat16 is the upper half of a float32 (its sign, exponent and first seven bits of fraction),
    so widening it is exact. Raises WeightsError when the file is damaged or holds another dtype.
    """
    try:
        entries = deserialize(content)  # type: ignore[no-untyped-call]
    except (SafetensorError, *READ_ERRORS) as error:
        raise WeightsError(f"not a whole safetensors file ({error}); save it again") from error
    arrays: dict[str, Array] = {}
    widened = []
    # By dtype and name, which tells nothing of the layers' order; nor does the alphabet.
    for name, entry in sorted(entries):
        dtype, shape, data = entry["dtype"], entry["shape"], entry["data"]
        if dtype == "BF16":
            halves = np.frombuffer(data, "<u2").astype(np.uint32) << 16
            arrays[name] = halves.view(np.float32).reshape(shape)
            widened.append(name)
        elif dtype in DTYPES:
            arrays[name] = np.frombuffer(data, DTYPES[dtype]).reshape(shape)
        else:
            raise WeightsError(f"{name}: dtype {dtype} can't be read; save it as float32")
    notes = (f"{len(widened)} arrays converted from bfloat16 to float32, exactly",)
    return arrays, notes if widened else ()
