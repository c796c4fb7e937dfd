"""The protocol's tensors: made from metadata, written and read in both of their forms."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlpserve.inference import open_inference_pb2 as protocol

Values = NDArray[Any]
Contents = protocol.InferTensorContents
Input = protocol.ModelInferRequest.InferInputTensor
Output = protocol.ModelInferResponse.InferOutputTensor

TEXT = "BYTES"
FORMATS = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    TEXT: "O",
}
"""Every datatype of the protocol, and NumPy's name for it."""

FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    TEXT: "bytes_contents",
}
"""The field of InferTensorContents that a datatype's values belong into; FP16 has none."""

LENGTH = struct.Struct("<I")
"""What stands before each element of raw BYTES."""


class Unreadable(ValueError):
    """A tensor whose values don't fit its shape and datatype."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor; the values have its shape."""

    name: str
    datatype: str
    values: Values

    @property
    def raw(self) -> bytes:
        """Its values as the bytes of the raw form."""
        if self.datatype != TEXT:
            return self.values.tobytes()
        return b"".join(LENGTH.pack(len(text)) + text for text in self.values.ravel())

    def described(self) -> Input:
        """Return it as an input without values."""
        return Input(name=self.name, datatype=self.datatype, shape=self.values.shape)

    def typed(self) -> Input:
        """Return it as an input with its values in the field of its datatype."""
        tensor = self.described()
        getattr(tensor.contents, FIELDS[self.datatype]).extend(self.values.ravel().tolist())
        return tensor


def make(name: str, datatype: str, shape: Sequence[int], seed: int, zeros: bool = False) -> Tensor:
    """Make a tensor with values that nearly every model takes: numbers in [0, 1), integers from 0
    to 9, words; different ones for each seed.
    """
    random = np.random.default_rng([seed, *name.encode()])
    if zeros and datatype != TEXT:
        values: Values = np.zeros(shape)
    elif datatype == "BOOL":
        values = random.integers(0, 2, shape)
    elif datatype.startswith("FP"):
        # Sparse, and denser with each seed: noise alone would look the same to many models.
        values = random.random(shape) * (random.random(shape) < 0.1 + 0.2 * (seed % 4))
    else:
        values = random.integers(0, 10, shape)
    if datatype == TEXT:
        words = [f"{value}".encode() for value in values.ravel()]
        texts = np.empty(len(words), object)
        texts[:] = words
        return Tensor(name, datatype, texts.reshape(shape))
    return Tensor(name, datatype, values.astype(FORMATS[datatype]))


def join(rows: Sequence[Tensor]) -> Tensor:
    """Return one tensor of several, joined along the first dimension."""
    first = rows[0]
    return Tensor(first.name, first.datatype, np.concatenate([row.values for row in rows]))


def read(output: Output, raw: bytes | None) -> Values:
    """Return an output's values in its shape, from its raw form or from its contents; raises
    Unreadable.
    """
    count = math.prod(output.shape)
    if output.datatype not in FORMATS:
        raise Unreadable(f"output {output.name} has datatype {output.datatype!r}")
    if raw is None:
        values: Values = _read_contents(output)
    elif output.datatype == TEXT:
        values = _texts(_split(output.name, raw))
    else:
        size = np.dtype(FORMATS[output.datatype]).itemsize
        if len(raw) != count * size:
            raise Unreadable(
                f"output {output.name} of shape {list(output.shape)} and datatype "
                f"{output.datatype} has {len(raw)} raw bytes, wanted {count * size}"
            )
        values = np.frombuffer(raw, FORMATS[output.datatype])
    if len(values) != count:
        raise Unreadable(
            f"output {output.name} of shape {list(output.shape)} has {len(values)} values"
        )
    return values.reshape(tuple(output.shape))


def _read_contents(output: Output) -> Values:
    if output.datatype not in FIELDS:
        raise Unreadable(f"output {output.name} of datatype {output.datatype} is not raw")
    filled = [field.name for field, _ in output.contents.ListFields()]
    wanted = FIELDS[output.datatype]
    if any(name != wanted for name in filled):
        raise Unreadable(
            f"output {output.name} of datatype {output.datatype} has values in {filled}, "
            f"wanted {wanted}"
        )
    values = getattr(output.contents, wanted)
    if output.datatype == TEXT:
        return _texts(list(values))
    return np.array(values, FORMATS[output.datatype])


def _texts(texts: list[bytes]) -> Values:
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


def _split(name: str, raw: bytes) -> list[bytes]:
    texts, position = [], 0
    while position < len(raw):
        if position + LENGTH.size > len(raw):
            raise Unreadable(f"output {name} ends within the length of an element")
        (length,) = LENGTH.unpack_from(raw, position)
        position += LENGTH.size + length
        if position > len(raw):
            raise Unreadable(f"output {name} ends within an element")
        texts.append(raw[position - length : position])
    return texts
