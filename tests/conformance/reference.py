"""A small server of the protocol with all its extensions, for tests of the rules: correct, and too
slow for anything else.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance import tensors
from tests.conformance.tensors import FIELDS, FORMATS, TEXT, Output, Tensor, Values

MAX_BATCH_SIZE = 5
LABELS = ("low", "middle", "high", "top")
EXTENSIONS = (
    *("statistics", "model_configuration", "model_repository", "classification"),
    *("schedule_policy", "parameters"),
)
Shape = tuple[int, ...]


@dataclass(eq=False)
class Refused(Exception):
    """A request that is an error; `reason` tells faults which."""

    reason: str
    code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT

    @property
    def message(self) -> str:
        """What the caller is told."""
        return f"refused: {self.reason}" if self.reason else ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a few tensors: datatypes and shapes without the batch, and what it computes."""

    inputs: dict[str, tuple[str, Shape]]
    outputs: dict[str, tuple[str, Shape]]
    compute: Callable[[dict[str, Values], int], dict[str, Values]]
    versions: tuple[int, ...] = (1,)


def _score(given: dict[str, Values], version: int) -> dict[str, Values]:
    n_rows = len(given["a"])
    rows = np.concatenate([given[name].reshape(n_rows, -1) for name in ("a", "b")], axis=1)
    weights = np.random.default_rng(version).random((rows.shape[1], len(LABELS)))
    scores = (rows @ weights).astype("<f4")
    best = scores.argmax(axis=1)
    words = np.empty((n_rows, 1), object)
    words[:, 0] = [LABELS[index].encode() * 2 for index in best]
    return {"scores": scores, "best": best.astype("<i8"), "word": words}


def _measure(given: dict[str, Values], version: int) -> dict[str, Values]:
    numbers = [[int(text) * version / 8 for text in row] for row in given["words"]]
    return {"half": np.array(numbers, "<f2")}


MODELS = {
    "scores": Model(
        {"a": ("FP32", (2, 3)), "b": ("INT32", (2,))},
        {"scores": ("FP32", (len(LABELS),)), "best": ("INT64", ()), "word": (TEXT, (1,))},
        _score,
        (1, 2),
    ),
    "texts": Model({"words": (TEXT, (2,))}, {"half": ("FP16", (2,))}, _measure),
}


@dataclass
class Reference:
    """Answers every call as the protocol wants it, or raises Refused."""

    extensions: tuple[str, ...] = EXTENSIONS
    loaded: set[str] = field(default_factory=lambda: set(MODELS))
    counts: dict[tuple[str, int], protocol.ModelStatistics] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, name: str, version: str) -> tuple[Model, int]:
        """Return a model and its version; raises Refused."""
        if name not in self.loaded:
            raise Refused("unknown model", grpc.StatusCode.NOT_FOUND)
        model = MODELS[name]
        if version and version not in map(str, model.versions):
            raise Refused("unknown version", grpc.StatusCode.NOT_FOUND)
        return model, int(version or model.versions[-1])

    def server_live(self, _request: protocol.ServerLiveRequest) -> protocol.ServerLiveResponse:
        """Answer ServerLive."""
        return protocol.ServerLiveResponse(live=True)

    def server_ready(self, _request: protocol.ServerReadyRequest) -> protocol.ServerReadyResponse:
        """Answer ServerReady."""
        return protocol.ServerReadyResponse(ready=True)

    def model_ready(self, request: protocol.ModelReadyRequest) -> protocol.ModelReadyResponse:
        """Answer ModelReady."""
        self.find(request.name, request.version)
        return protocol.ModelReadyResponse(ready=True)

    def server_metadata(
        self, _request: protocol.ServerMetadataRequest
    ) -> protocol.ServerMetadataResponse:
        """Answer ServerMetadata."""
        return protocol.ServerMetadataResponse(
            name="reference", version="1", extensions=self.extensions
        )

    def model_metadata(
        self, request: protocol.ModelMetadataRequest
    ) -> protocol.ModelMetadataResponse:
        """Answer ModelMetadata."""
        model, _ = self.find(request.name, request.version)
        kind = protocol.ModelMetadataResponse.TensorMetadata
        inputs, outputs = (
            [kind(name=name, datatype=of[0], shape=[-1, *of[1]]) for name, of in described.items()]
            for described in (model.inputs, model.outputs)
        )
        return protocol.ModelMetadataResponse(
            name=request.name,
            versions=[str(version) for version in model.versions],
            platform="numpy_arrays",
            inputs=inputs,
            outputs=outputs,
        )

    def model_config(self, request: protocol.ModelConfigRequest) -> protocol.ModelConfigResponse:
        """Answer ModelConfig."""
        model, _ = self.find(request.name, request.version)
        config = protocol.ModelConfig(name=request.name, max_batch_size=MAX_BATCH_SIZE)
        for name, (datatype, shape) in model.inputs.items():
            config.input.add(name=name, data_type=_configured(datatype), dims=shape)
        for name, (datatype, shape) in model.outputs.items():
            config.output.add(name=name, data_type=_configured(datatype), dims=shape or (1,))
        return protocol.ModelConfigResponse(config=config)

    def model_statistics(
        self, request: protocol.ModelStatisticsRequest
    ) -> protocol.ModelStatisticsResponse:
        """Answer ModelStatistics."""
        if request.name:
            self.find(request.name, request.version)
        return protocol.ModelStatisticsResponse(
            model_stats=[
                self.count_of(name, version)
                for name, model in MODELS.items()
                for version in model.versions
                if request.name in ("", name) and request.version in ("", str(version))
            ]
        )

    def repository_index(
        self, request: protocol.RepositoryIndexRequest
    ) -> protocol.RepositoryIndexResponse:
        """Answer RepositoryIndex."""
        response = protocol.RepositoryIndexResponse()
        for name, model in MODELS.items():
            for version in model.versions:
                state = "READY" if name in self.loaded else "UNAVAILABLE"
                if state == "READY" or not request.ready:
                    response.models.add(name=name, version=str(version), state=state)
        # A model that is there and can't be loaded.
        if not request.ready:
            response.models.add(name="broken", version="1", state="UNAVAILABLE", reason="no file")
        return response

    def repository_model_load(
        self, request: protocol.RepositoryModelLoadRequest
    ) -> protocol.RepositoryModelLoadResponse:
        """Answer RepositoryModelLoad."""
        if request.model_name not in MODELS:
            raise Refused("unknown model", grpc.StatusCode.NOT_FOUND)
        self.loaded.add(request.model_name)
        return protocol.RepositoryModelLoadResponse()

    def repository_model_unload(
        self, request: protocol.RepositoryModelUnloadRequest
    ) -> protocol.RepositoryModelUnloadResponse:
        """Answer RepositoryModelUnload."""
        self.loaded.discard(request.model_name)
        return protocol.RepositoryModelUnloadResponse()

    def model_stream_infer(
        self, requests: Iterable[protocol.ModelInferRequest]
    ) -> Iterator[protocol.ModelStreamInferResponse]:
        """Answer ModelStreamInfer."""
        for request in requests:
            try:
                yield protocol.ModelStreamInferResponse(infer_response=self.model_infer(request))
            except Refused as error:
                yield protocol.ModelStreamInferResponse(
                    error_message=error.message,
                    infer_response=protocol.ModelInferResponse(id=request.id),
                )

    def model_infer(self, request: protocol.ModelInferRequest) -> protocol.ModelInferResponse:
        """Answer ModelInfer, and count it."""
        begin = time.monotonic_ns()
        model, version = self.find(request.model_name, request.model_version)
        _check_parameters(request)
        given = _read_inputs(model, request)
        (n_rows,) = {len(values) for values in given.values()}
        if n_rows > MAX_BATCH_SIZE:
            raise Refused("batch size")
        names = [output.name for output in request.outputs] or list(model.outputs)
        if set(names) - model.outputs.keys():
            raise Refused("unknown output")
        values = model.compute(given, version)
        counts = {
            output.name: output.parameters["classification"].int64_param
            for output in request.outputs
            if "classification" in output.parameters
        }
        results = [
            Tensor(name, TEXT, classify(values[name], counts[name]))
            if name in counts
            else Tensor(name, model.outputs[name][0], values[name])
            for name in names
        ]
        response = write(request, results)
        response.model_name, response.model_version = request.model_name, str(version)
        self._count(request.model_name, version, n_rows, time.monotonic_ns() - begin)
        return response

    def count_of(self, name: str, version: int) -> protocol.ModelStatistics:
        """Return what is counted of a version."""
        return self.counts.setdefault(
            (name, version), protocol.ModelStatistics(name=name, version=str(version))
        )

    def _count(self, name: str, version: int, n_rows: int, elapsed_ns: int) -> None:
        with self.lock:
            counted = self.count_of(name, version)
            counted.last_inference = int(time.time() * 1000)
            counted.inference_count += n_rows
            counted.execution_count += 1
            sizes = [batch for batch in counted.batch_stats if batch.batch_size == n_rows]
            batch = sizes[0] if sizes else counted.batch_stats.add(batch_size=n_rows)
            whole = counted.inference_stats
            for stages in (whole, batch):
                for stage in (stages.compute_input, stages.compute_infer, stages.compute_output):
                    stage.count += 1
                    stage.ns += elapsed_ns // 3
            whole.success.count += 1
            whole.success.ns += elapsed_ns
            whole.queue.count += 1


def write(
    request: protocol.ModelInferRequest, results: Sequence[Tensor]
) -> protocol.ModelInferResponse:
    """Return the results in the form of the request; FP16 is always raw."""
    typed = not request.raw_input_contents and all(one.datatype in FIELDS for one in results)
    response = protocol.ModelInferResponse(id=request.id)
    for result in results:
        output = response.outputs.add(
            name=result.name, datatype=result.datatype, shape=result.values.shape
        )
        if typed:
            output.contents.CopyFrom(result.typed().contents)
        else:
            response.raw_output_contents.append(result.raw)
    return response


def classify(values: Values, count: int) -> Values:
    """Return the highest values of each row (N, C) as texts (N, count)."""
    texts = np.empty((len(values), count), object)
    for row, numbers in zip(texts, values, strict=True):
        order = np.argsort(-numbers, kind="stable")[:count]
        row[:] = [f"{numbers[index]:.6f}:{index}:{LABELS[index]}".encode() for index in order]
    return texts


def _configured(datatype: str) -> str:
    return f"TYPE_{'STRING' if datatype == TEXT else datatype}"


def _check_parameters(request: protocol.ModelInferRequest) -> None:
    for name in ("timeout", "priority"):
        if name in request.parameters and not request.parameters[name].HasField("int64_param"):
            raise Refused(name)


def _read_inputs(model: Model, request: protocol.ModelInferRequest) -> dict[str, Values]:
    names = [tensor.name for tensor in request.inputs]
    if set(names) - model.inputs.keys():
        raise Refused("unknown input")
    if len(set(names)) < len(names):
        raise Refused("repeated input")
    if set(names) < model.inputs.keys():
        raise Refused("missing input")
    raw: list[bytes | None] = [*request.raw_input_contents]
    if raw and any(tensor.HasField("contents") for tensor in request.inputs):
        raise Refused("both forms")
    if raw and len(raw) != len(names):
        raise Refused("raw count")
    given = {
        tensor.name: _read_input(model, tensor, content)
        for tensor, content in zip(request.inputs, raw or [None] * len(names), strict=True)
    }
    if len({len(values) for values in given.values()}) > 1:
        raise Refused("rows")
    return given


def _read_input(model: Model, tensor: tensors.Input, content: bytes | None) -> Values:
    datatype, shape = model.inputs[tensor.name]
    if tensor.datatype not in FORMATS:
        raise Refused("unknown datatype")
    if tensor.datatype != datatype:
        raise Refused("datatype")
    if min(tensor.shape, default=0) < 1:
        raise Refused("negative")
    if len(tensor.shape) != 1 + len(shape):
        raise Refused("overflow" if max(tensor.shape) >= 2**32 else "rank")
    if tuple(tensor.shape)[1:] != shape:
        raise Refused("size")
    if content is None and not tensor.HasField("contents"):
        raise Refused("no data")
    output = Output(name=tensor.name, datatype=datatype, shape=tensor.shape)
    output.contents.CopyFrom(tensor.contents)
    try:
        return tensors.read(output, content)
    except tensors.Unreadable as error:
        reason = "field" if "has values in" in str(error) else "contents"
        raise Refused(reason) from error


def parse(name: str, message: bytes) -> protocol.ModelInferRequest:
    """Return the request of a call; raises Refused."""
    method = protocol.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name[name]
    kind = getattr(protocol, method.input_type.name)
    try:
        request: protocol.ModelInferRequest = kind.FromString(message)
    except DecodeError as error:
        raise Refused("unreadable") from error
    return request
