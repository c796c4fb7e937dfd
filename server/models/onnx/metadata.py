"""What a model's file says of itself; `exporter/export/graph.py` describes the entries."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from server.errors import Fault
from server.models.onnx.graph import ACTIVATIONS
from server.models.reference import Reference, read_reference
from server.texts import fault_of, shown

Values = npt.NDArray[np.float32]

FORMAT = "mlpserve/1"

MAX_JSON_BYTES = 1 << 20
"""Of an entry that holds JSON, such as 65,536 labels of 14 characters."""

MAX_LABEL_LENGTH = 256
MAX_GOLDEN = 256
"""Golden images of a file; the exporter writes eight."""

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A file's metadata: the golden images (E, n_in), the golden answers (E, classes), and the
    rest as in `Model`.
    """

    labels: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    weights_sha256: str
    golden_pixels: Values
    golden_activations: Values
    reference: Reference


def read_metadata(values: Mapping[str, memoryview]) -> Description:
    """Return what the entries say; raises Fault when they can't be used."""
    found = bytes(values.get("format", b"none"))
    if found != FORMAT.encode():
        raise Fault(
            "was not exported by mlpserve: its metadata has format "
            f"{shown(str(found[:100], 'utf-8', 'replace'))!r} instead of {FORMAT!r}; build it with "
            "`python -m exporter export`",
            "format",
        )
    try:
        sizes = tuple(_integer(size) for size in _read_list(values, "layer_sizes"))
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"layer_sizes: {shown(str(sizes))}")
        labels = tuple(map(_label, _read_list(values, "labels")))
        if len(labels) != sizes[-1]:
            raise Fault(
                f"has {len(labels)} labels for {sizes[-1]} outputs; export it again", "signature"
            )
        activations = tuple(map(_activation, _read_list(values, "layer_activations")))
        if len(activations) != len(sizes) - 1:
            raise ValueError(f"{len(activations)} layer_activations, {len(sizes)} layers")
        parameters = sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))
        if _read_text(values, "parameters") != str(parameters):
            raise ValueError(f"parameters are not {parameters}, as the layer sizes say")
        weights_sha256 = _read_text(values, "weights_sha256")
        if not _SHA256.fullmatch(weights_sha256):
            raise ValueError("weights_sha256 is no SHA-256 in hexadecimal")
        pixels = _read_floats(values, "golden_pixels", sizes[0])
        answers = _read_floats(values, "golden_activations", sizes[-1])
        text = _read_text(values, "reference") if "reference" in values else None
        reference = read_reference(text, labels)
    except KeyError as error:
        raise Fault(f"has no metadata {error}; export it again", "metadata") from error
    # JSON that is nested too deeply is a RecursionError, a number too large an OverflowError.
    except (ValueError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise Fault(
            f"has metadata that can't be used ({type(error).__name__}: {error}); export it again",
            "metadata",
        ) from error
    if len(pixels) != len(answers):
        raise Fault(
            f"has {len(pixels)} golden images but {len(answers)} golden answers; export it again",
            "golden_examples",
        )
    return Description(labels, sizes, activations, weights_sha256, pixels, answers, reference)


def _read_text(values: Mapping[str, memoryview], key: str) -> str:
    value = values[key]
    if len(value) > MAX_JSON_BYTES:
        raise ValueError(f"{key} has {len(value)} bytes, at most {MAX_JSON_BYTES} are read")
    return str(value, "utf-8")


def _read_list(values: Mapping[str, memoryview], key: str) -> list[Any]:
    found = json.loads(_read_text(values, key))
    if not isinstance(found, list):
        raise ValueError(f"{key} is no list")
    return found


def _integer(value: object) -> int:
    # Not isinstance: true is an int as well.
    if type(value) is not int:
        raise ValueError(f"layer_sizes: {shown(repr(value))} is no integer")
    return value


def _label(value: object) -> str:
    label = str(value) if type(value) is int else value
    if not isinstance(label, str):
        raise ValueError(f"labels: {shown(repr(value))} is no text")
    if fault := fault_of(label):
        raise ValueError(f"labels: {shown(repr(label))} {fault}")
    if len(label) > MAX_LABEL_LENGTH:
        raise ValueError(f"labels: {label[:20]!r}... has more than {MAX_LABEL_LENGTH} characters")
    return label


def _activation(value: object) -> str:
    if not isinstance(value, str) or (value not in ACTIVATIONS and value != "identity"):
        raise ValueError(f"layer_activations: {shown(repr(value))} is none that is served")
    return value


def _read_floats(values: Mapping[str, memoryview], key: str, columns: int) -> Values:
    """Read a (rows, columns) array of little-endian float32 in base64."""
    content = base64.b64decode(values[key], validate=True)
    found = np.frombuffer(content, "<f4").reshape(-1, columns).astype(np.float32)
    if not 0 < len(found) <= MAX_GOLDEN:
        size = "is empty" if not len(found) else f"has {len(found)} rows, more than {MAX_GOLDEN}"
        raise ValueError(f"{key} {size}")
    if not np.isfinite(found).all():
        raise ValueError(f"{key} holds what is no number or infinite")
    return found
