"""inference.GRPCInferenceService: the Open Inference Protocol, version 2, of KServe and Triton.

ModelInfer is read and written as bytes, like Predict; the other calls are rare and use messages.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

import mlpserve
from mlpserve import wire
from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import InvalidField, NotLoaded, NotReady
from server.model import INPUT, LABELS, OUTPUT
from server.policy import LABEL
from server.repository import Models
from server.request import FLOAT_BYTES, Answer, Request
from server.texts import told

SERVICE = protocol.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
FLOATS, BYTES, INTEGERS = "FP32", "UINT8", "INT64"
ANY_SIZE = -1
CANONICALIZE = "canonicalize"

_INFER, _INFERRED = protocol.ModelInferRequest, protocol.ModelInferResponse
_INPUT, _OUTPUT = _INFER.InferInputTensor, _INFERRED.InferOutputTensor
_REQUESTED, _CONTENTS = _INFER.InferRequestedOutputTensor, protocol.InferTensorContents


def read_request(message: bytes) -> tuple[Request, memoryview]:
    """Return what a serialized ModelInferRequest asks for, and its pixels; raises InvalidField."""
    try:
        return _read_request(wire.read_fields(message))
    except (wire.WireError, DecodeError) as error:
        raise InvalidField(
            "not_a_request",
            f"the message ({len(message)} bytes) is not an inference.ModelInferRequest ({error})",
            "",
        ) from error


def _read_request(fields: list[wire.Field]) -> tuple[Request, memoryview]:
    inputs = wire.read_contents(fields, _INFER.INPUTS_FIELD_NUMBER)
    raw = wire.read_contents(fields, _INFER.RAW_INPUT_CONTENTS_FIELD_NUMBER)
    if len(inputs) != 1:
        raise InvalidField(
            "inputs", f"inputs: {len(inputs)} tensors, wanted one, called {INPUT}", "inputs"
        )
    tensor = wire.read_fields(inputs[0])
    name = wire.read_text(tensor, _INPUT.NAME_FIELD_NUMBER)
    if name != INPUT:
        raise InvalidField(
            "unknown_input", f"inputs: there is no input {told(name)}, only {INPUT}", "inputs"
        )
    datatype = wire.read_text(tensor, _INPUT.DATATYPE_FIELD_NUMBER)
    if datatype not in (FLOATS, BYTES):
        raise InvalidField(
            "datatype", f"{INPUT} has datatype {told(datatype)}, wanted {FLOATS} or {BYTES}", INPUT
        )
    shape = tuple(wire.read_integers(tensor, _INPUT.SHAPE_FIELD_NUMBER).tolist())
    outputs = tuple(
        wire.read_text(wire.read_fields(output), _REQUESTED.NAME_FIELD_NUMBER)
        for output in wire.read_contents(fields, _INFER.OUTPUTS_FIELD_NUMBER)
    )
    pixels = _read_pixels(tensor, raw, datatype, shape)
    version, label = read_version(wire.read_text(fields, _INFER.MODEL_VERSION_FIELD_NUMBER))
    request = Request(
        model=wire.read_text(fields, _INFER.MODEL_NAME_FIELD_NUMBER),
        version=version,
        is_bytes=datatype == BYTES,
        field=INPUT,
        write=functools.partial(
            write_answer,
            identifier=wire.read_text(fields, _INFER.ID_FIELD_NUMBER),
            outputs=outputs or (OUTPUT, LABELS),
            raw=bool(raw),
        ),
        hidden_activations=bool(set(outputs) - {OUTPUT, LABELS}),
        canonicalize=_read_canonicalize(fields),
        shape=shape,
        outputs=outputs,
        label=label,
    )
    return request, pixels


def _read_canonicalize(fields: list[wire.Field]) -> bool:
    """Return the parameter of that name, false when there is none."""
    for entry in wire.read_contents(fields, _INFER.PARAMETERS_FIELD_NUMBER):
        parameter = _INFER.ParametersEntry.FromString(bytes(entry))
        if parameter.key == CANONICALIZE:
            if parameter.value.WhichOneof("parameter_choice") != "bool_param":
                raise InvalidField(
                    "parameter", f"parameters: {CANONICALIZE} is no truth value", "parameters"
                )
            return bool(parameter.value.bool_param)
    return False


def _read_pixels(
    tensor: list[wire.Field], raw: list[memoryview], datatype: str, shape: tuple[int, ...]
) -> memoryview:
    """Return the bytes of the only input, from whichever form it has."""
    contents = wire.read_contents(tensor, _INPUT.CONTENTS_FIELD_NUMBER)
    if raw and contents:
        raise InvalidField(
            "both_forms",
            f"{INPUT} has contents, and raw_input_contents is given too; send one of them",
            "raw_input_contents",
        )
    if len(raw) > 1:
        raise InvalidField(
            "inputs",
            f"raw_input_contents has {len(raw)} entries for 1 input",
            "raw_input_contents",
        )
    pixels = raw[0] if raw else _read_contents(wire.joined(contents), datatype)
    itemsize = 1 if datatype == BYTES else FLOAT_BYTES
    wanted = math.prod(shape) if shape and min(shape) > 0 else 0
    if len(pixels) != wanted * itemsize:
        raise InvalidField(
            "byte_count",
            f"{INPUT} has shape {list(shape)} and datatype {datatype}, which is {wanted} values in "
            f"{wanted * itemsize} bytes, but there are {len(pixels)} bytes",
            INPUT,
        )
    return pixels


def _read_contents(message: memoryview, datatype: str) -> memoryview:
    """Return the values of a serialized InferTensorContents as bytes, those of UINT8 one each."""
    contents = wire.read_fields(message)
    number = {
        FLOATS: _CONTENTS.FP32_CONTENTS_FIELD_NUMBER,
        BYTES: _CONTENTS.UINT_CONTENTS_FIELD_NUMBER,
    }[datatype]
    for other, _, values in contents:
        if other != number and values:
            known = _CONTENTS.DESCRIPTOR.fields_by_number
            found = known[other].name if other in known else str(other)
            raise InvalidField(
                "datatype",
                f"{INPUT} has datatype {datatype}, whose contents belong into "
                f"{known[number].name}, but they stand in {found}",
                INPUT,
            )
    if datatype == FLOATS:
        return wire.read_floats(contents, number).view(np.uint8).data
    levels = wire.read_integers(contents, number)
    if len(levels) and not 0 <= levels.min() <= levels.max() <= np.iinfo(np.uint8).max:
        place = int(np.flatnonzero((levels < 0) | (levels > np.iinfo(np.uint8).max))[0])
        raise InvalidField(
            "pixel_range",
            f"{INPUT}: value {place} is {levels[place]}, wanted 0 to 255 for {BYTES}",
            INPUT,
        )
    return levels.astype(np.uint8).data


def read_version(text: str) -> tuple[int, str]:
    """Return the version or the label that a text stands for, 0 and none for an empty one.

    Raises InvalidField.
    """
    if not text:
        return 0, ""
    if LABEL.fullmatch(text):
        return 0, text
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidField(
            "version",
            f"version: {told(text)} is no version; versions are 1, 2, 3, ... or labels such as "
            "stable, empty is the newest",
            "model_version",
        )
    return int(text), ""


def write_answer(answer: Answer, identifier: str, outputs: tuple[str, ...], raw: bool) -> bytes:
    """Return a serialized ModelInferResponse with the outputs, in the order of their names."""
    model, n_images = answer.model, len(answer.labels)
    floats = dict(zip((OUTPUT, *model.outputs[2:]), answer.layers, strict=False))
    head = _INFERRED(model_name=model.name, model_version=str(model.version), id=identifier)
    parts: list[bytes | memoryview] = [head.SerializeToString()]
    contents: list[bytes | memoryview] = []
    for name in outputs:
        values: bytes | memoryview
        if name == LABELS:
            described = _OUTPUT(name=name, datatype=INTEGERS, shape=[n_images])
            values = np.array(list(answer.labels), "<i8").tobytes()
            typed: tuple[int, bytes | memoryview]
            typed = (_CONTENTS.INT64_CONTENTS_FIELD_NUMBER, wire.encode_varints(answer.labels))
        else:
            values = floats[name]
            columns = len(values) // (FLOAT_BYTES * n_images)
            described = _OUTPUT(name=name, datatype=FLOATS, shape=[n_images, columns])
            typed = (_CONTENTS.FP32_CONTENTS_FIELD_NUMBER, values)
        output: list[bytes | memoryview] = [described.SerializeToString()]
        if raw:
            contents += wire.encode_tagged(_INFERRED.RAW_OUTPUT_CONTENTS_FIELD_NUMBER, values)
        else:
            content = b"".join(wire.encode_tagged(*typed))
            output += wire.encode_tagged(_OUTPUT.CONTENTS_FIELD_NUMBER, content)
        parts += wire.encode_tagged(_INFERRED.OUTPUTS_FIELD_NUMBER, b"".join(output))
    return b"".join(parts + contents)


@dataclass(frozen=True, slots=True)
class Inference:
    """Answers what is asked about the server and its models.

    `models` returns the loaded models, None while there are none; `is_ready` tells whether calls
    are welcome.
    """

    models: Callable[[], Models | None]
    is_ready: Callable[[], bool]

    def server_live(self, _request: protocol.ServerLiveRequest) -> protocol.ServerLiveResponse:
        """Answer that the server lives."""
        return protocol.ServerLiveResponse(live=True)

    def server_ready(self, _request: protocol.ServerReadyRequest) -> protocol.ServerReadyResponse:
        """Answer whether calls are welcome."""
        return protocol.ServerReadyResponse(ready=self.is_ready())

    def model_ready(self, request: protocol.ModelReadyRequest) -> protocol.ModelReadyResponse:
        """Answer whether a model is loaded and calls are welcome; one that isn't known is not."""
        try:
            self._models().find(request.name, *read_version(request.version))
        except (NotLoaded, NotReady):
            return protocol.ModelReadyResponse(ready=False)
        return protocol.ModelReadyResponse(ready=self.is_ready())

    def server_metadata(
        self, _request: protocol.ServerMetadataRequest
    ) -> protocol.ServerMetadataResponse:
        """Describe the server."""
        return protocol.ServerMetadataResponse(name="mlpserve", version=mlpserve.__version__)

    def model_metadata(
        self, request: protocol.ModelMetadataRequest
    ) -> protocol.ModelMetadataResponse:
        """Describe a model; raises NotLoaded."""
        models = self._models()
        model = models.find(request.name, *read_version(request.version))
        tensor = protocol.ModelMetadataResponse.TensorMetadata
        columns = dict(
            zip(model.outputs, (model.layer_sizes[-1], 0, *model.layer_sizes[1:-1]), strict=True)
        )
        return protocol.ModelMetadataResponse(
            name=model.name,
            versions=[str(version) for version in models.by_name[model.name].by_number],
            platform="onnxruntime_onnx",
            inputs=[tensor(name=INPUT, datatype=FLOATS, shape=[ANY_SIZE, model.n_pixels])],
            outputs=[
                tensor(name=name, datatype=INTEGERS, shape=[ANY_SIZE])
                if name == LABELS
                else tensor(name=name, datatype=FLOATS, shape=[ANY_SIZE, columns[name]])
                for name in model.outputs
            ],
        )

    def _models(self) -> Models:
        models = self.models()
        if models is None:
            raise NotReady("not_ready", "the server is still loading its models; try again shortly")
        return models
