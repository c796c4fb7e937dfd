"""A model's metadata as texts by name, written by the exporter and read by both."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelfile.image_layout import ImageLayout, decode_image_layout, encode_image_layout
from modelfile.input_range import PIXELS, InputRange, parse
from modelfile.labels import fault_of_labels
from modelfile.layout import OPERATORS
from modelfile.reference import UNMEASURED, Reference, decode_reference, encode_reference

Values = npt.NDArray[np.float32]
Entries = Mapping[str, bytes | memoryview]
"""The texts in UTF-8."""

FORMAT = "mlpserve/1"

MAX_JSON_BYTES = 1 << 20
"""Of an entry that holds JSON, such as 65,536 labels of 12 characters."""

MAX_GOLDEN = 256
"""Golden images that are read; the exporter writes eight."""

_FLOAT64 = "float64"
_SHA256 = re.compile("[0-9a-f]{64}")
_SHOWN = 100


class MetadataError(ValueError):
    """Metadata that can't be used, in words that follow the file's name."""

    def __init__(
        self,
        message: str,
        reason: Literal["format", "golden_examples", "metadata", "signature"] = "metadata",
    ) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """What a server must know: names, sizes, golden images (E, n_in) and answers (E, classes).

    `golden_is_float64` says that the answers were computed in float64 before they were rounded.
    """

    labels: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    weights_sha256: str
    golden_pixels: Values
    golden_activations: Values
    reference: Reference = UNMEASURED
    input_range: InputRange = PIXELS
    golden_is_float64: bool = False
    image_layout: ImageLayout | None = None

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(self.layer_sizes))


def encode(
    metadata: Metadata,
    provenance: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return the entries that the package describes, in that order."""
    entries = {
        "format": FORMAT,
        "labels": json.dumps(metadata.labels, ensure_ascii=False),
        "layer_sizes": json.dumps(metadata.layer_sizes),
        "layer_activations": json.dumps(metadata.activations),
        "parameters": str(metadata.parameters),
        "weights_sha256": metadata.weights_sha256,
        "provenance": _encode_object(provenance),
        "golden_pixels": _encode_floats(metadata.golden_pixels),
        "golden_activations": _encode_floats(metadata.golden_activations),
    }
    if metadata.golden_is_float64:
        entries["golden_precision"] = _FLOAT64
    if metadata.input_range != PIXELS:
        entries["input_range"] = str(metadata.input_range)
    if metadata.image_layout is not None:
        entries["image_layout"] = _encode_object(encode_image_layout(metadata.image_layout))
    if evaluation is not None:
        entries["evaluation"] = _encode_object(evaluation)
    if metadata.reference.shares:
        entries["reference"] = _encode_object(encode_reference(metadata.reference))
    return entries


def decode(entries: Entries) -> Metadata:
    """Read all but what only people read; raises MetadataError."""
    found = bytes(entries.get("format", b"none"))
    if found != FORMAT.encode():
        raise MetadataError(
            "was not exported by mlpserve: its metadata has format "
            f"{str(found[:_SHOWN], 'utf-8', 'replace')!r} instead of {FORMAT!r}",
            "format",
        )
    try:
        metadata = _decode(entries)
    except MetadataError:
        raise
    except KeyError as error:
        raise MetadataError(f"has no metadata {error}") from error
    # JSON that is nested too deeply is a RecursionError, a number too large an OverflowError.
    except (ValueError, TypeError, IndexError, RecursionError, OverflowError) as error:
        raise MetadataError(
            f"has metadata that can't be used ({type(error).__name__}: {error})"
        ) from error
    if len(metadata.golden_pixels) != len(metadata.golden_activations):
        raise MetadataError(
            f"has {len(metadata.golden_pixels)} golden images but "
            f"{len(metadata.golden_activations)} golden answers",
            "golden_examples",
        )
    return metadata


def decode_object(entries: Entries, key: str) -> dict[str, Any] | None:
    """Return an entry that is a JSON object, None when it isn't there; raises ValueError."""
    if key not in entries:
        return None
    content = json.loads(_read_text(entries, key))
    if not isinstance(content, dict):
        raise ValueError(f"{key} is not an object")
    return content


def weights_sha256(arrays: Iterable[Values]) -> str:
    """Return the SHA-256 of W1, b1, W2, b2, ... as little-endian float32, row-major."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _decode(entries: Entries) -> Metadata:
    sizes = tuple(_integer(size) for size in _read_list(entries, "layer_sizes"))
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"layer_sizes: {_brief(sizes)}")
    labels = tuple(map(_label, _read_list(entries, "labels")))
    if len(labels) != sizes[-1]:
        raise MetadataError(f"has {len(labels)} labels for {sizes[-1]} outputs", "signature")
    if fault := fault_of_labels(labels):
        raise MetadataError(f"has labels that can't be used: {fault}")
    activations = tuple(map(_activation, _read_list(entries, "layer_activations")))
    if len(activations) != len(sizes) - 1:
        raise ValueError(f"{len(activations)} layer_activations for {len(sizes) - 1} layers")
    input_range = _read_input_range(entries)
    metadata = Metadata(
        labels=labels,
        layer_sizes=sizes,
        activations=activations,
        weights_sha256=_read_text(entries, "weights_sha256"),
        golden_pixels=_decode_floats(entries, "golden_pixels", sizes[0]),
        golden_activations=_decode_floats(entries, "golden_activations", sizes[-1]),
        reference=decode_reference(decode_object(entries, "reference"), labels, input_range),
        input_range=input_range,
        golden_is_float64=bytes(entries.get("golden_precision", b"")) == _FLOAT64.encode(),
        image_layout=decode_image_layout(decode_object(entries, "image_layout"), sizes[0]),
    )
    if _read_text(entries, "parameters") != str(metadata.parameters):
        raise ValueError(f"parameters are not {metadata.parameters}, as the layer sizes say")
    if not _SHA256.fullmatch(metadata.weights_sha256):
        raise ValueError("weights_sha256 is not a SHA-256 in hexadecimal")
    return metadata


def _read_input_range(entries: Entries) -> InputRange:
    """Return what the network takes, [0, 1] when the entry isn't there."""
    if "input_range" not in entries:
        return PIXELS
    try:
        return parse(_read_text(entries, "input_range"))
    except ValueError as error:
        raise MetadataError(f"has an input_range that can't be used: {error}") from error


def _read_text(entries: Entries, key: str) -> str:
    value = entries[key]
    if len(value) > MAX_JSON_BYTES:
        raise ValueError(f"{key} has {len(value)} bytes, at most {MAX_JSON_BYTES} are read")
    return str(value, "utf-8")


def _read_list(entries: Entries, key: str) -> list[Any]:
    content = json.loads(_read_text(entries, key))
    if not isinstance(content, list):
        raise ValueError(f"{key} is not a list")
    return content


def _integer(value: object) -> int:
    # Not isinstance: true is an int as well.
    if type(value) is not int:
        raise ValueError(f"layer_sizes: {_brief(value)} is not an integer")
    return value


def _label(value: object) -> str:
    label = str(value) if type(value) is int else value
    if not isinstance(label, str):
        raise ValueError(f"labels: {_brief(value)} is not text")
    return label


def _activation(value: object) -> str:
    if not isinstance(value, str) or value not in OPERATORS:
        raise ValueError(f"layer_activations: {_brief(value)} is not an activation that is served")
    return value


def _brief(value: object) -> str:
    """Return a value for a message; what a file holds may be of any length."""
    return repr(value)[:_SHOWN]


def _encode_object(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False, allow_nan=False)


def _encode_floats(values: Values) -> str:
    """Return an array as little-endian float32, row-major, in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _decode_floats(entries: Entries, key: str, columns: int) -> Values:
    """Return the finite (rows, columns) that `_encode_floats` wrote."""
    content = base64.b64decode(entries[key], validate=True)
    values = np.frombuffer(content, "<f4").reshape(-1, columns).astype(np.float32)
    if not 0 < len(values) <= MAX_GOLDEN:
        size = "is empty" if not len(values) else f"has {len(values)} rows, more than {MAX_GOLDEN}"
        raise ValueError(f"{key} {size}")
    if not np.isfinite(values).all():
        raise ValueError(f"{key} holds NaN or infinity")
    return values
