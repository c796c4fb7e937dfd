"""Between arrays and the messages of mlpserve.v1 and grpc.health.v1, without work per number."""

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from mlpserve import wire
from mlpserve.errors import InvalidResponse
from mlpserve.images import Pixels
from mlpserve.models import ImageLayout, Layer, Model, ModelVersion, Network
from mlpserve.prediction import Canonicalization, Prediction
from mlpserve.v1 import classifier_pb2

_HEALTH_SERVICE_FIELD = 1
_HEALTH_STATUS_FIELD = 1
_HEALTH_SERVING = 1

_INKS = {
    classifier_pb2.ImageLayout.INK_LIGHT: "light",
    classifier_pb2.ImageLayout.INK_DARK: "dark",
}
_CENTRINGS = {
    classifier_pb2.ImageLayout.CENTRING_MASS: "mass",
    classifier_pb2.ImageLayout.CENTRING_BOX: "box",
}


def encode_request(
    pixels: Pixels,
    model: str,
    version: int,
    hidden_activations: bool = False,
    canonicalize: bool = False,
    label: str = "",
) -> bytes:
    """Return a serialized PredictRequest; uint8 pixels travel as `pixels_u8`, float32 as `pixels`.

    The pixels are copied once, from the array into the message.
    """
    message = classifier_pb2.PredictRequest
    head = message(
        model=model,
        version=version,
        hidden_activations=hidden_activations,
        canonicalize=canonicalize,
        label=label,
    ).SerializeToString()
    if pixels.dtype == np.uint8:
        number, values = message.PIXELS_U8_FIELD_NUMBER, pixels
    else:
        number, values = message.PIXELS_FIELD_NUMBER, pixels.astype("<f4", copy=False)
    content = np.ascontiguousarray(values).view(np.uint8).data
    return b"".join([head, *wire.encode_tagged(number, content)])


def decode_response(message: bytes) -> Prediction:
    """Return what a serialized PredictResponse says.

    Raises InvalidResponse when it is no such message or when its parts contradict each other.
    """
    response = classifier_pb2.PredictResponse
    try:
        fields = wire.read_fields(message)
        labels = wire.read_integers(fields, response.LABELS_FIELD_NUMBER)
        label_names = wire.read_texts(fields, response.LABEL_NAMES_FIELD_NUMBER)
        activations = wire.read_floats(fields, response.ACTIVATIONS_FIELD_NUMBER)
        layers = wire.read_contents(fields, response.HIDDEN_LAYERS_FIELD_NUMBER)
        done = wire.read_contents(fields, response.CANONICALIZATION_FIELD_NUMBER)
        n_images, n_classes = len(labels), len(label_names)
        if not n_images or labels.min() < 0 or labels.max() >= n_classes:
            raise wire.WireError(f"it has {n_classes} classes and the labels {labels.tolist()}")
        return Prediction(
            labels=labels,
            activations=_as_table("activations", activations, n_images, n_classes),
            label_names=label_names,
            model=wire.read_text(fields, response.MODEL_FIELD_NUMBER),
            version=wire.read_integer(fields, response.VERSION_FIELD_NUMBER),
            hidden_layers=tuple(_decode_layer(layer, n_images) for layer in layers),
            canonicalization=_decode_canonicalization(done[-1], n_images) if done else None,
        )
    except wire.WireError as error:
        raise InvalidResponse(f"the answer is no valid PredictResponse: {error}") from error


def decode_models(message: bytes) -> tuple[Model, ...]:
    """Return what a serialized ListModelsResponse says; raises InvalidResponse."""
    try:
        response = classifier_pb2.ListModelsResponse.FromString(message)
    except DecodeError as error:
        raise InvalidResponse(f"the answer is no valid ListModelsResponse: {error}") from error
    return tuple(
        Model(
            name=model.name,
            versions=tuple(map(_decode_version, model.versions)),
            labels=dict(model.labels),
            default_version=model.default_version,
            is_default=model.name == response.default_model,
        )
        for model in response.models
    )


def decode_network(message: bytes) -> Network:
    """Return what a serialized GetNetworkResponse says; raises InvalidResponse."""
    response = classifier_pb2.GetNetworkResponse
    try:
        fields = wire.read_fields(message)
        return Network(
            model=wire.read_text(fields, response.MODEL_FIELD_NUMBER),
            version=wire.read_integer(fields, response.VERSION_FIELD_NUMBER),
            layers=tuple(
                map(_decode_network_layer, wire.read_contents(fields, response.LAYERS_FIELD_NUMBER))
            ),
            label_names=wire.read_texts(fields, response.LABEL_NAMES_FIELD_NUMBER),
            input_range=wire.read_text(fields, response.INPUT_RANGE_FIELD_NUMBER),
            image_layout=_read_layout(
                wire.read_contents(fields, response.IMAGE_LAYOUT_FIELD_NUMBER)
            ),
        )
    except (wire.WireError, DecodeError) as error:
        raise InvalidResponse(f"the answer is no valid GetNetworkResponse: {error}") from error


def encode_health_request(service: str) -> bytes:
    """Return a serialized grpc.health.v1.HealthCheckRequest."""
    return b"".join(wire.encode_tagged(_HEALTH_SERVICE_FIELD, service.encode()))


def decode_health_response(message: bytes) -> bool:
    """Return whether a serialized grpc.health.v1.HealthCheckResponse says SERVING."""
    try:
        status = wire.read_integer(wire.read_fields(message), _HEALTH_STATUS_FIELD)
    except wire.WireError as error:
        raise InvalidResponse(f"the answer is no valid HealthCheckResponse: {error}") from error
    return status == _HEALTH_SERVING


def _decode_version(version: classifier_pb2.ModelVersion) -> ModelVersion:
    return ModelVersion(
        version=version.version,
        is_loaded=version.state == classifier_pb2.ModelVersion.STATE_LOADED,
        error=version.error,
        layer_sizes=tuple(version.layer_sizes),
        label_names=tuple(version.label_names),
        weights_sha256=version.weights_sha256,
        input_range=version.input_range,
        image_layout=_decode_layout(version.image_layout)
        if version.HasField("image_layout")
        else None,
    )


def _read_layout(contents: list[memoryview]) -> ImageLayout | None:
    if not contents:
        return None
    return _decode_layout(classifier_pb2.ImageLayout.FromString(bytes(contents[-1])))


def _decode_layout(layout: classifier_pb2.ImageLayout) -> ImageLayout:
    return ImageLayout(
        rows=layout.rows,
        columns=layout.columns,
        ink=_INKS.get(layout.ink, ""),
        longest_side=layout.longest_side,
        centring=_CENTRINGS.get(layout.centring, ""),
        centre=(layout.centre_down, layout.centre_right),
        flattest=layout.flattest,
    )


def _decode_network_layer(message: memoryview) -> Layer:
    layer = classifier_pb2.Layer
    fields = wire.read_fields(message)
    inputs = wire.read_integer(fields, layer.INPUTS_FIELD_NUMBER)
    neurons = wire.read_integer(fields, layer.NEURONS_FIELD_NUMBER)
    weights = wire.read_floats(fields, layer.WEIGHTS_FIELD_NUMBER)
    biases = wire.read_floats(fields, layer.BIASES_FIELD_NUMBER)
    return Layer(
        weights=_as_table("weights", weights, neurons, inputs),
        biases=_as_table("biases", biases, 1, neurons)[0],
        activation=wire.read_text(fields, layer.ACTIVATION_FIELD_NUMBER),
    )


def _decode_layer(message: memoryview, n_images: int) -> npt.NDArray[np.float32]:
    layer = classifier_pb2.LayerActivations
    fields = wire.read_fields(message)
    activations = wire.read_floats(fields, layer.ACTIVATIONS_FIELD_NUMBER)
    neurons = wire.read_integer(fields, layer.NEURONS_FIELD_NUMBER)
    return _as_table("a hidden layer", activations, n_images, neurons)


def _decode_canonicalization(message: memoryview, n_images: int) -> Canonicalization:
    done = classifier_pb2.Canonicalization
    fields = wire.read_fields(message)
    inverted = wire.read_integers(fields, done.INVERTED_FIELD_NUMBER)
    if len(inverted) != n_images:
        raise wire.WireError(f"inverted has {len(inverted)} answers, not {n_images}")
    scales = wire.read_floats(fields, done.SCALES_FIELD_NUMBER)
    shifts = wire.read_floats(fields, done.SHIFTS_FIELD_NUMBER)
    return Canonicalization(
        inverted=inverted.astype(bool),
        scales=_as_table("scales", scales, n_images, 2),
        shifts=_as_table("shifts", shifts, n_images, 2),
    )


def _as_table(
    name: str, values: npt.NDArray[np.float32], n_rows: int, n_columns: int
) -> npt.NDArray[np.float32]:
    if values.size != n_rows * n_columns or min(n_rows, n_columns) < 0:
        raise wire.WireError(f"{name} has {values.size} numbers, not {n_rows} x {n_columns}")
    return values.reshape(n_rows, n_columns)
