"""mlpserve.v1.Classifier's answers about models: which are loaded, and what is in them."""

from dataclasses import dataclass

from mlpserve.protocol import wire
from mlpserve.v1 import classifier_pb2
from modelfile.image_layout import ImageLayout
from server.models.onnx.graph import Layer
from server.models.repository import Models
from server.models.served import Served
from server.rpc.classifier import check_version

_RESPONSE, _LAYER = classifier_pb2.GetNetworkResponse, classifier_pb2.Layer
_VERSION, _LAYOUT = classifier_pb2.ModelVersion, classifier_pb2.ImageLayout
_INKS = {"light": _LAYOUT.INK_LIGHT, "dark": _LAYOUT.INK_DARK}
_CENTRINGS = {"mass": _LAYOUT.CENTRING_MASS, "box": _LAYOUT.CENTRING_BOX}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Answers questions about the models that are served."""

    served: Served

    def list_models(
        self, _request: classifier_pb2.ListModelsRequest
    ) -> classifier_pb2.ListModelsResponse:
        """List the models; raises NotReady."""
        models = self.served.require()
        names = sorted({*models.by_name, *models.errors})
        default = models.default if models.default in models.by_name else ""
        return classifier_pb2.ListModelsResponse(
            models=[_describe(models, name) for name in names], default_model=default
        )

    def get_network(self, request: classifier_pb2.GetNetworkRequest) -> bytes:
        """Return a serialized GetNetworkResponse; raises NotReady, NotLoaded, InvalidField.

        Bytes, since filling the floats of a message would keep calls waiting.
        """
        check_version(request.version, request.label)
        model = self.served.require().find(request.model, request.version, request.label)
        head = _RESPONSE(
            model=model.name,
            version=model.version,
            label_names=model.labels,
            input_range=str(model.input_range),
            image_layout=_describe_layout(model.image_layout),
        )
        parts: list[bytes | memoryview] = [head.SerializeToString()]
        for layer in model.promised_layers():
            parts += wire.encode_tagged(_RESPONSE.LAYERS_FIELD_NUMBER, _write_layer(layer))
        return b"".join(parts)


def _describe(models: Models, name: str) -> classifier_pb2.Model:
    """Return the description of a model."""
    errors = models.errors.get(name, {})
    versions = models.by_name.get(name)
    described = {
        version: _VERSION(version=version, state=_VERSION.STATE_FAILED, error=error)
        for version, error in errors.items()
    }
    for version, model in versions.by_number.items() if versions else ():
        described[version] = _VERSION(
            version=version,
            state=_VERSION.STATE_LOADED,
            error=errors.get(version, ""),
            layer_sizes=model.layer_sizes,
            label_names=model.labels,
            weights_sha256=model.weights_sha256,
            input_range=str(model.input_range),
            image_layout=_describe_layout(model.image_layout),
        )
    labels = versions.by_label.items() if versions else ()
    return classifier_pb2.Model(
        name=name,
        versions=[described[version] for version in sorted(described)],
        default_version=versions.newest.version if versions else 0,
        labels={label: model.version for label, model in labels},
    )


def _describe_layout(layout: ImageLayout | None) -> classifier_pb2.ImageLayout | None:
    if layout is None:
        return None
    down, right = layout.centre
    return _LAYOUT(
        rows=layout.rows,
        columns=layout.columns,
        ink=_INKS[layout.ink],
        longest_side=layout.longest_side,
        centring=_CENTRINGS[layout.centring],
        centre_down=down,
        centre_right=right,
        flattest=layout.flattest,
    )


def _write_layer(layer: Layer) -> bytes:
    """Return a serialized Layer."""
    neurons, inputs = layer.weights.shape
    head = _LAYER(inputs=inputs, neurons=neurons, activation=layer.activation)
    weights, biases = (values.astype("<f4").tobytes() for values in (layer.weights, layer.biases))
    return b"".join(
        (
            head.SerializeToString(),
            *wire.encode_tagged(_LAYER.WEIGHTS_FIELD_NUMBER, weights),
            *wire.encode_tagged(_LAYER.BIASES_FIELD_NUMBER, biases),
        )
    )
