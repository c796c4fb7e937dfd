"""Predict as a pure function from request bytes to response bytes, with no gRPC in it."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from mlpserve.v1 import classifier_pb2
from server import metrics
from server.errors import InvalidField, NotReady
from server.repository import Models
from server.rpc import codec

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name


@dataclass(slots=True)
class Classifier:
    """Answers Predict with the loaded models; `models` is None until they are loaded."""

    max_batch_size: int
    models: Models | None = None

    def predict(self, message: bytes) -> bytes:
        """Answer a serialized PredictRequest with a PredictResponse; raises RequestError."""
        models = self.models
        if models is None:
            raise NotReady("not_ready", "the server is still loading its models; try again shortly")
        try:
            request = classifier_pb2.PredictRequest.FromString(message)
        except DecodeError as error:
            raise InvalidField(
                "not_a_request",
                f"the message ({len(message)} bytes) is not a mlpserve.v1.PredictRequest; "
                "generate the client from proto/mlpserve/v1/classifier.proto",
                "",
            ) from error
        model = models.find(request.model, request.version)
        batch = codec.read_pixels(request, model.n_pixels, self.max_batch_size)
        layers = model.predict(batch, request.hidden_activations)
        metrics.IMAGES.labels(model.name, str(model.version)).inc(len(batch))
        labels = layers[0].argmax(axis=1)
        return codec.write_response(model.name, model.version, model.labels, labels, layers)
