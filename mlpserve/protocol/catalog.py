"""What a server tells of its models, from messages of mlpserve.v1."""

from google.protobuf.message import DecodeError

from mlpserve.errors import InvalidResponse
from mlpserve.models import ImageLayout, Layer, Model, ModelVersion, Network
from mlpserve.protocol import wire
from mlpserve.protocol.parameters import make_request
from mlpserve.protocol.tables import as_table
from mlpserve.v1 import classifier_pb2

_INKS = {
    classifier_pb2.ImageLayout.INK_LIGHT: "light",
    classifier_pb2.ImageLayout.INK_DARK: "dark",
}
_CENTRINGS = {
    classifier_pb2.ImageLayout.CENTRING_MASS: "mass",
    classifier_pb2.ImageLayout.CENTRING_BOX: "box",
}


def encode_network_request(model: str, version: int, label: str) -> bytes:
    """Return a serialized GetNetworkRequest."""
    return make_request(
        classifier_pb2.GetNetworkRequest, model=model, version=version, label=label
    ).SerializeToString()


def decode_models(message: bytes) -> tuple[Model, ...]:
    """Return what a serialized ListModelsResponse says; raises InvalidResponse."""
    try:
        response = classifier_pb2.ListModelsResponse.FromString(message)
    except DecodeError as error:
        raise InvalidResponse(f"the answer is not a valid ListModelsResponse: {error}") from error
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
        raise InvalidResponse(f"the answer is not a valid GetNetworkResponse: {error}") from error


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
        weights=as_table("weights", weights, neurons, inputs),
        biases=as_table("biases", biases, 1, neurons)[0],
        activation=wire.read_text(fields, layer.ACTIVATION_FIELD_NUMBER),
    )
