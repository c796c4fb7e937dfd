"""mlpserve.v1.Classifier: requests out of PredictRequests, answers into PredictResponses.

Both are read and written as bytes: a message object would copy the pixels once more, and filling
its repeated floats costs 60 to 320 ns a float.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from canonical import Canonical
from mlpserve.protocol import wire
from mlpserve.v1 import classifier_pb2
from server.errors import InvalidField
from server.models.model import Batch, Model
from server.rpc import reading
from server.rpc.remembered import Remembered
from server.running.request import (
    CANONICALIZE_SECONDS,
    FLOAT_BYTES,
    HEAD_BYTES,
    LABELS_OF_ONE_BYTE,
    NO_IDENTIFIER,
    Answer,
    Labels,
    Request,
    encodable,
    label_bytes,
)
from server.running.together import bytes_of, fill, write_one_by_one
from server.texts import quoted

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name

_REQUEST, _RESPONSE = classifier_pb2.PredictRequest, classifier_pb2.PredictResponse
_LAYER, _DONE = classifier_pb2.LayerActivations, classifier_pb2.Canonicalization
MAX_CACHED_NAMES = 256
_KNOWN = Remembered()


def read_request(message: bytes, patient: bool = True) -> tuple[Request, memoryview, bytes]:
    """Return what a serialized PredictRequest asks for, its pixels, and an empty identifier.

    Raises InvalidField; and unless `patient`, TakesLong when reading would take more than about a
    millisecond.
    """
    known = _KNOWN.find(len(message), message, 0, NO_IDENTIFIER)
    if known is not None:
        return known
    try:
        request, pixels = _read_request(message, patient)
    except wire.TooMuch as error:
        raise reading.refuse_fields(error, patient) from None
    except wire.WireError as error:
        raise InvalidField(
            "not_a_request",
            f"the message ({len(message)} bytes) is not a mlpserve.v1.PredictRequest ({error}); "
            "generate the client from proto/mlpserve/v1/classifier.proto",
            "",
        ) from error
    _KNOWN.add(len(message), message, 0, pixels, request)
    return request, pixels, NO_IDENTIFIER


def _read_request(message: bytes, patient: bool) -> tuple[Request, memoryview]:
    fields = wire.read_fields(message, reading.limits(patient), (_REQUEST.PIXELS_FIELD_NUMBER,))
    chunks = wire.read_chunks(fields, _REQUEST.PIXELS_FIELD_NUMBER)
    levels = wire.read_contents(fields, _REQUEST.PIXELS_U8_FIELD_NUMBER)
    model = reading.read_name(fields, _REQUEST.MODEL_FIELD_NUMBER, "model")
    label = reading.read_name(fields, _REQUEST.LABEL_FIELD_NUMBER, "label")
    pixels = reading.join(chunks, patient)
    is_bytes = bool(levels and levels[-1])
    if pixels and is_bytes:
        raise InvalidField(
            "both_forms", "pixels and pixels_u8 are both given; send one of them", "pixels"
        )
    version = wire.read_integer(fields, _REQUEST.VERSION_FIELD_NUMBER)
    check_version(version, label)
    hidden = bool(wire.read_integer(fields, _REQUEST.HIDDEN_ACTIVATIONS_FIELD_NUMBER))
    canonicalize = bool(wire.read_integer(fields, _REQUEST.CANONICALIZE_FIELD_NUMBER))
    seen = bool(wire.read_integer(fields, _REQUEST.CANONICAL_PIXELS_FIELD_NUMBER))
    if seen and not canonicalize:
        raise InvalidField(
            "without_canonicalize",
            "canonical_pixels: requested without canonicalize, so the network sees the images as "
            "sent; set canonicalize too",
            "canonical_pixels",
        )
    # Long names are not worth their memory.
    make = _request if len(model) + len(label) <= MAX_CACHED_NAMES else _make_request
    request = make(model, version, label, is_bytes, hidden, canonicalize, seen)
    return request, levels[-1] if is_bytes else pixels


def _make_request(
    model: str,
    version: int,
    label: str,
    is_bytes: bool,
    hidden: bool,
    canonicalize: bool,
    canonical_pixels: bool,
) -> Request:
    """Return a request; equal ones are one object, so that they can be answered together."""
    write: Callable[[Answer, bytes], bytes] = _write_all if hidden else _write_outputs
    if canonical_pixels:
        write = functools.partial(_write_with_pixels, hidden=hidden)
    return Request(
        model,
        version,
        is_bytes=is_bytes,
        field="pixels_u8" if is_bytes else "pixels",
        write=write,
        measure=functools.partial(
            _measure, hidden=hidden, canonicalize=canonicalize, canonical_pixels=canonical_pixels
        ),
        write_each=None if hidden or canonicalize else _write_each,
        hidden_activations=hidden,
        canonicalize=canonicalize,
        label=label,
        extra_seconds=CANONICALIZE_SECONDS * canonicalize,
    )


_request = functools.lru_cache(_make_request)


def check_version(version: int, label: str) -> None:
    """Raise InvalidField when a request names a version in both ways."""
    if version and label:
        raise InvalidField(
            "both_versions",
            f"version {version} and label {quoted(label)} are both given; send one of them",
            "label",
        )


def _write_all(answer: Answer, _identifier: bytes) -> bytes:
    return _write_layers(answer, answer.layers)


def _write_outputs(answer: Answer, _identifier: bytes) -> bytes:
    # The run may have hidden layers that another request asked for.
    return _write_layers(answer, answer.layers[:1])


def _write_with_pixels(answer: Answer, _identifier: bytes, hidden: bool) -> bytes:
    layers = answer.layers if hidden else answer.layers[:1]
    return _write_layers(answer, layers, canonical_pixels=True)


def _write_layers(
    answer: Answer, layers: Sequence[memoryview], canonical_pixels: bool = False
) -> bytes:
    model = answer.model
    response = write_response(model.name, model.version, model.labels, answer.labels, layers)
    if answer.canonical is None:
        return response
    return b"".join((response, *_write_canonical(answer.canonical, canonical_pixels)))


def write_response(
    model: str,
    version: int,
    label_names: tuple[str, ...],
    labels: Sequence[int],
    layers: Sequence[memoryview],
) -> bytes:
    """Return a serialized PredictResponse.

    `layers` are the output layer's activations, then the hidden ones', as `Answer` has them.
    """
    packed = wire.encode_varints(labels)
    before, between = _fixed_parts(model, version, label_names, len(packed), len(layers[0]))
    parts: list[bytes | memoryview] = [before, packed, between, layers[0]]
    for layer in layers[1:]:
        content = _write_layer(layer, len(labels))
        parts += wire.encode_tagged(_RESPONSE.HIDDEN_LAYERS_FIELD_NUMBER, content)
    return b"".join(parts)


def _fixed_parts(
    model: str,
    version: int,
    label_names: tuple[str, ...],
    labels_bytes: int,
    activations_bytes: int,
) -> tuple[bytes, bytes]:
    """Return the bytes around the labels in all responses of a model with these sizes."""
    head, names = _described(model, version, label_names)
    return (
        head + wire.encode_tag(_RESPONSE.LABELS_FIELD_NUMBER, labels_bytes),
        names + wire.encode_tag(_RESPONSE.ACTIVATIONS_FIELD_NUMBER, activations_bytes),
    )


# Not with the sizes: callers choose them, and the names may be many.
@functools.lru_cache
def _described(model: str, version: int, label_names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return the fields that all responses of a model have, those before and after the labels."""
    return (
        _RESPONSE(model=encodable(model), version=version).SerializeToString(),
        _RESPONSE(label_names=map(encodable, label_names)).SerializeToString(),
    )


def _measure(
    model: Model, n_images: int, hidden: bool, canonicalize: bool, canonical_pixels: bool
) -> int:
    """Return the bytes that a serialized PredictResponse has at most, as one of a stream too."""
    before, between = _fixed_parts(model.name, model.version, model.labels, 0, 0)
    fixed = len(before) + len(between) + 3 * HEAD_BYTES
    of_image = label_bytes(model) + FLOAT_BYTES * len(model.labels)
    if hidden:
        fixed += 3 * HEAD_BYTES * model.n_hidden
        of_image += FLOAT_BYTES * sum(model.layer_sizes[1:-1])
    if canonicalize:
        fixed += 4 * HEAD_BYTES
        of_image += 1 + 4 * FLOAT_BYTES
    if canonical_pixels:
        fixed += HEAD_BYTES
        of_image += FLOAT_BYTES * model.n_pixels
    return fixed + n_images * of_image


def _write_each(
    model: Model, labels: Labels, layers: Sequence[Batch], identifiers: Sequence[bytes]
) -> list[bytes]:
    """Return a serialized PredictResponse for each image, all written at once."""
    if len(model.labels) > LABELS_OF_ONE_BYTE:
        return write_one_by_one(_write_outputs, model, labels, layers, identifiers)
    blank, label_place = _blank(model.name, model.version, model.labels)
    content = bytes_of(layers[0])
    parts = (
        (label_place, labels.astype(np.uint8).reshape(-1, 1)),
        (len(blank) - content.shape[1], content),
    )
    return fill(blank, parts, len(labels))


@functools.lru_cache
def _blank(
    model: str, version: int, label_names: tuple[str, ...]
) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the response for one image without its label and activations, and where the label
    belongs; the activations are its end.
    """
    size = FLOAT_BYTES * len(label_names)
    before, between = _fixed_parts(model, version, label_names, 1, size)
    return np.frombuffer(before + bytes(1) + between + bytes(size), np.uint8), len(before)


def _write_layer(activations: memoryview, n_images: int) -> bytes:
    """Return a serialized LayerActivations."""
    head = _LAYER(neurons=len(activations) // (FLOAT_BYTES * n_images)).SerializeToString()
    return b"".join((head, *wire.encode_tagged(_LAYER.ACTIVATIONS_FIELD_NUMBER, activations)))


def _write_canonical(canonical: Canonical, with_pixels: bool) -> list[bytes | memoryview]:
    """Return the parts of the serialized field that describes what was done to the images."""
    parts = [
        *wire.encode_tagged(_DONE.INVERTED_FIELD_NUMBER, canonical.inverted.tobytes()),
        *wire.encode_tagged(_DONE.SCALES_FIELD_NUMBER, canonical.scales.tobytes()),
        *wire.encode_tagged(_DONE.SHIFTS_FIELD_NUMBER, canonical.shifts.tobytes()),
    ]
    if with_pixels:
        pixels = canonical.batch.reshape(-1).view(np.uint8).data
        parts += wire.encode_tagged(_DONE.PIXELS_FIELD_NUMBER, pixels)
    size = sum(map(len, parts))
    return [wire.encode_tag(_RESPONSE.CANONICALIZATION_FIELD_NUMBER, size), *parts]
