"""mlpserve.v1.Classifier: requests out of PredictRequests, answers into PredictResponses.

Both are read and written as bytes: a message object would copy the pixels once more, and filling
its repeated floats costs 60 to 320 ns a float.
"""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlpserve import wire
from mlpserve.v1 import classifier_pb2
from server.errors import InvalidField
from server.model import Batch
from server.request import Answer, Request

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name

_REQUEST, _RESPONSE = classifier_pb2.PredictRequest, classifier_pb2.PredictResponse
_LAYER = classifier_pb2.LayerActivations
# As names of this module: this is read for every field of every request.
_MODEL, _VERSION = _REQUEST.MODEL_FIELD_NUMBER, _REQUEST.VERSION_FIELD_NUMBER
_PIXELS, _PIXELS_U8 = _REQUEST.PIXELS_FIELD_NUMBER, _REQUEST.PIXELS_U8_FIELD_NUMBER
_HIDDEN = _REQUEST.HIDDEN_ACTIVATIONS_FIELD_NUMBER


def read_request(message: bytes) -> Request:
    """Return what a serialized PredictRequest asks for; raises InvalidField."""
    floats: list[memoryview] = []
    fields: dict[int, int | memoryview] = {}
    try:
        for number, wire_type, value in wire.read_fields(message):
            if number != _PIXELS:
                fields[number] = value
            elif wire_type in wire.REPEATED_FLOAT and isinstance(value, memoryview):
                floats.append(value)
        model = wire.as_text(fields.get(_MODEL))
    except wire.WireError as error:
        raise InvalidField(
            "not_a_request",
            f"the message ({len(message)} bytes) is not a mlpserve.v1.PredictRequest ({error}); "
            "generate the client from proto/mlpserve/v1/classifier.proto",
            "",
        ) from error
    levels = wire.as_content(fields.get(_PIXELS_U8))
    hidden = wire.as_integer(fields.get(_HIDDEN))
    pixels = wire.joined(floats)
    if pixels and levels:
        raise InvalidField(
            "both_forms", "pixels and pixels_u8 are both given; send one of them", "pixels"
        )
    return Request(
        model=model,
        version=wire.as_integer(fields.get(_VERSION)),
        pixels=pixels or levels,
        is_bytes=bool(levels),
        field="pixels_u8" if levels else "pixels",
        write=_write_all if hidden else _write_outputs,
        hidden_activations=bool(hidden),
    )


def _write_all(answer: Answer) -> bytes:
    model = answer.model
    return write_response(model.name, model.version, model.labels, answer.labels, answer.layers)


def _write_outputs(answer: Answer) -> bytes:
    # The run may have brought hidden layers that another request wanted.
    model, layers = answer.model, answer.layers[:1]
    return write_response(model.name, model.version, model.labels, answer.labels, layers)


def write_response(
    model: str,
    version: int,
    label_names: tuple[str, ...],
    labels: npt.NDArray[np.int64],
    layers: Sequence[Batch],
) -> bytes:
    """Return a serialized PredictResponse; `layers` is the output layer, then the hidden ones."""
    head, names = _fixed_parts(model, version, label_names)
    parts = [head, *wire.encode_tagged(_RESPONSE.LABELS_FIELD_NUMBER, wire.encode_varints(labels))]
    parts.append(names)
    parts += wire.encode_tagged(_RESPONSE.ACTIVATIONS_FIELD_NUMBER, wire.encode_floats(layers[0]))
    for layer in layers[1:]:
        parts += wire.encode_tagged(_RESPONSE.HIDDEN_LAYERS_FIELD_NUMBER, _write_layer(layer))
    return b"".join(parts)


@functools.lru_cache
def _fixed_parts(model: str, version: int, label_names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return what every response of a model has before and after its labels."""
    return (
        _RESPONSE(model=model, version=version).SerializeToString(),
        _RESPONSE(label_names=label_names).SerializeToString(),
    )


def _write_layer(activations: Batch) -> bytes:
    """Return a serialized LayerActivations."""
    head = _LAYER(neurons=activations.shape[1]).SerializeToString()
    packed = wire.encode_tagged(_LAYER.ACTIVATIONS_FIELD_NUMBER, wire.encode_floats(activations))
    return b"".join((head, *packed))
