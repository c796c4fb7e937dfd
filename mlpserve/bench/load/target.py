"""What is called: the method, how its messages are written, and the labels in its answers."""

import math
from dataclasses import dataclass, field

import grpc
import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from mlpserve.bench.result import INFERENCE_SERVICE, Plan, Protocol
from mlpserve.connection.options import SERVICE
from mlpserve.connection.settings import Settings
from mlpserve.errors import InvalidResponse, Less, MlpserveError, ModelNotFound, from_rpc_error
from mlpserve.inference import open_inference_pb2 as inference
from mlpserve.models import Model, find_model
from mlpserve.protocol.catalog import decode_models
from mlpserve.protocol.predict import ResponseReader, encode_head, encode_request

_LABELS = "labels"
_DATATYPES = {np.dtype(np.uint8): "UINT8", np.dtype(np.float32): "FP32"}

Labels = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Target:
    """A method and the model that it is to run.

    `n_inputs` are the numbers of an image; `tensor` and `dimensions` are the name and the shape of
    the Open Inference Protocol's input for one image, and empty for Predict.
    """

    protocol: Protocol
    model: str
    version: int
    label: str
    n_inputs: int
    tensor: str = ""
    dimensions: tuple[int, ...] = ()
    _reader: ResponseReader = field(default_factory=ResponseReader, compare=False, repr=False)

    @property
    def path(self) -> str:
        """The method's path."""
        return f"/{self.protocol.service}/{self.protocol.method}"

    def encode(self, images: Images) -> bytes:
        """Return the serialized request for a batch (N, n_inputs) of float32 or uint8."""
        if self.protocol is Protocol.PREDICT:
            return encode_request(
                encode_head(self.model, self.version, self.label), images.reshape(-1)
            )
        request = inference.ModelInferRequest(
            model_name=self.model,
            model_version=str(self.version) if self.version else "",
            inputs=[
                inference.ModelInferRequest.InferInputTensor(
                    name=self.tensor,
                    datatype=_DATATYPES[images.dtype],
                    shape=[len(images), *self.dimensions],
                )
            ],
            raw_input_contents=[images.astype(images.dtype.newbyteorder("<")).tobytes()],
        )
        return request.SerializeToString()

    def read_labels(self, response: bytes) -> Labels:
        """Return the labels of an answer; raises InvalidResponse when it has none."""
        if self.protocol is Protocol.PREDICT:
            return self._reader.read(response).labels
        try:
            answer = inference.ModelInferResponse.FromString(response)
        except DecodeError as error:
            raise InvalidResponse(
                f"the answer is not a valid ModelInferResponse: {error}"
            ) from error
        for output, content in zip(answer.outputs, answer.raw_output_contents, strict=False):
            if output.name == _LABELS and output.datatype == "INT64" and len(content) % 8 == 0:
                return np.frombuffer(content, "<i8").astype(np.int64)
        names = ", ".join(output.name for output in answer.outputs) or "none"
        raise InvalidResponse(
            f"the answer has no INT64 output {_LABELS!r} in raw_output_contents, which the check "
            f"compares; its outputs: {names}"
        )


def find_target(plan: Plan, settings: Settings, channel: grpc.Channel) -> Target:
    """Ask a server what the plan's model takes.

    Raises MlpserveError when it can't be reached, doesn't know the model, or speaks otherwise.
    """
    if plan.protocol is Protocol.INFER:
        return _find_tensor(plan, settings, channel)
    models = decode_models(_call(settings, channel, f"/{SERVICE}/ListModels", b""))
    n_inputs = _find_size(models, plan)
    return Target(plan.protocol, plan.model, plan.version, plan.label, n_inputs)


def ask(target: Target, settings: Settings, channel: grpc.Channel, message: bytes) -> bytes:
    """Return the answer to a request; raises MlpserveError."""
    return _call(settings, channel, target.path, message)


def _find_tensor(plan: Plan, settings: Settings, channel: grpc.Channel) -> Target:
    request = inference.ModelMetadataRequest(
        name=plan.model, version=str(plan.version) if plan.version else ""
    )
    response = _call(
        settings, channel, f"/{INFERENCE_SERVICE}/ModelMetadata", request.SerializeToString()
    )
    try:
        metadata = inference.ModelMetadataResponse.FromString(response)
    except DecodeError as error:
        raise InvalidResponse(
            f"the answer is not a valid ModelMetadataResponse: {error}"
        ) from error
    if len(metadata.inputs) != 1 or any(size < 1 for size in metadata.inputs[0].shape[1:]):
        shapes = [(tensor.name, list(tensor.shape)) for tensor in metadata.inputs]
        raise MlpserveError(
            f"model {metadata.name!r} takes the inputs {shapes}; only models with one input whose "
            "dimensions after the first are known can be loaded"
        )
    (tensor,) = metadata.inputs
    dimensions = tuple(tensor.shape[1:])
    return Target(
        plan.protocol,
        plan.model,
        plan.version,
        plan.label,
        math.prod(dimensions),
        tensor.name,
        dimensions,
    )


def _find_size(models: tuple[Model, ...], plan: Plan) -> int:
    """Return how many numbers an image of the plan's model has."""
    model = find_model(models, plan.model)
    if model is not None:
        wanted = plan.version or model.labels.get(plan.label, 0) or model.default_version
        for version in model.versions:
            if version.version == wanted and version.layer_sizes:
                return version.layer_sizes[0]
    names = ", ".join(map(_describe, models)) or "none"
    asked = f"model {plan.model!r}" if plan.model else "a default model"
    if plan.version:
        asked += f" with version {plan.version}"
    raise ModelNotFound(f"the server has not loaded {asked}; it has models with versions: {names}")


def _describe(model: Model) -> str:
    loaded = [str(version.version) for version in model.versions if version.is_loaded]
    return f"{model.name!r} ({', '.join(loaded) or 'no version'})"


def _call(settings: Settings, channel: grpc.Channel, path: str, message: bytes) -> bytes:
    method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    try:
        return method(message, timeout=settings.timeout_seconds, metadata=settings.metadata)
    except grpc.RpcError as error:
        raise from_rpc_error(error, settings.address, Less()) from error
