"""The Open Inference Protocol over a real socket: answers, forms, and every mismatch."""

from collections.abc import Callable

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import ask, error_info, predict, violation
from harness.scrape import value
from harness.server_process import ServerProcess
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.protocol import wire
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.rpc.infer_calls import Contents, Infer, Tensor, infer, raw_request, typed_request


def test_server_and_model_are_ready(channel: grpc.Channel) -> None:
    live = ask(channel, "ServerLive", protocol.ServerLiveRequest(), protocol.ServerLiveResponse)
    assert live.live
    ready = ask(channel, "ServerReady", protocol.ServerReadyRequest(), protocol.ServerReadyResponse)
    assert ready.ready
    for name, version, expected in [
        ("digits", "", True),
        ("digits", "1", True),
        ("digits", "2", False),
        ("letters", "", False),
    ]:
        request = protocol.ModelReadyRequest(name=name, version=version)
        found = ask(channel, "ModelReady", request, protocol.ModelReadyResponse)
        assert found.ready == expected, (name, version)


def test_metadata_tells_shapes_and_types(channel: grpc.Channel) -> None:
    request = protocol.ModelMetadataRequest(name="digits")
    model = ask(channel, "ModelMetadata", request, protocol.ModelMetadataResponse)
    assert (model.name, list(model.versions), model.platform) == (
        *("digits", ["1"], "onnxruntime_onnx"),
    )
    tensors = [(one.name, one.datatype, list(one.shape)) for one in (*model.inputs, *model.outputs)]
    assert tensors == [
        ("pixels", "FP32", [-1, 784]),
        ("activations", "FP32", [-1, 10]),
        ("labels", "INT64", [-1]),
    ]


@pytest.mark.parametrize("form", [raw_request, typed_request])
@pytest.mark.parametrize("shape", [(-1, 784), (-1, 28, 28)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_every_form_of_input_is_answered_in_kind(
    each_channel: grpc.Channel,
    digits: tuple[Batch, Labels],
    form: Callable[..., Infer],
    shape: tuple[int, ...],
    dtype: type,
) -> None:
    images = digits[0][:7]
    pixels = images if dtype == np.float32 else np.round(images * 255).astype(np.uint8)
    expected = predict(each_channel, PredictRequest(pixels=images.ravel(), hidden_activations=True))
    names = ("hidden_2", "labels", "activations", "hidden_1")
    response = infer(each_channel, form(pixels.reshape(shape), *names))
    assert (response.model_name, response.model_version) == ("digits", "1")
    assert [output.name for output in response.outputs] == list(names)
    assert [list(output.shape) for output in response.outputs] == [[7, 16], [7], [7, 10], [7, 16]]
    assert [one.datatype for one in response.outputs] == ["FP32", "INT64", "FP32", "FP32"]
    found = [
        np.frombuffer(content, "<i8" if output.datatype == "INT64" else "<f4")
        for output, content in zip(response.outputs, response.raw_output_contents, strict=False)
    ] or [
        np.array(output.contents.int64_contents or output.contents.fp32_contents, np.float32)
        for output in response.outputs
    ]
    assert bool(response.raw_output_contents) == (form is raw_request)
    assert response.outputs[0].HasField("contents") == (form is typed_request)
    wanted = [
        np.array(expected.hidden_layers[1].activations),
        np.array(expected.labels),
        np.array(expected.activations),
        np.array(expected.hidden_layers[0].activations),
    ]
    for values, numbers in zip(found, wanted, strict=True):
        np.testing.assert_allclose(values, numbers, rtol=0, atol=1e-6)


def test_outputs_are_those_asked_for(each_channel: grpc.Channel) -> None:
    black = np.zeros((1, 784), np.float32)
    response = infer(each_channel, raw_request(black))
    assert [output.name for output in response.outputs] == ["activations", "labels"]
    response = infer(each_channel, raw_request(black, "labels"))
    assert [output.name for output in response.outputs] == ["labels"]
    assert len(response.raw_output_contents) == 1


def test_id_comes_back(each_channel: grpc.Channel) -> None:
    black = np.zeros((1, 784), np.float32)
    assert infer(each_channel, raw_request(black, id="call 7 é")).id == "call 7 é"
    assert infer(each_channel, raw_request(black)).id == ""


def test_model_and_version_may_be_named(each_channel: grpc.Channel) -> None:
    black = np.zeros((1, 784), np.float32)
    named = infer(each_channel, raw_request(black, model_name="digits", model_version="1"))
    assert named == infer(each_channel, raw_request(black))


BLACK = np.zeros((2, 784), np.float32)


def changed(change: Callable[[Infer], object], request: Infer | None = None) -> Infer:
    request = raw_request(BLACK) if request is None else request
    change(request)
    return request


def set_input(**fields: object) -> Callable[[Infer], None]:
    def change(request: Infer) -> None:
        for name, wanted in fields.items():
            if isinstance(wanted, list):
                del getattr(request.inputs[0], name)[:]
                getattr(request.inputs[0], name).extend(wanted)
            else:
                setattr(request.inputs[0], name, wanted)

    return change


PARAMETER = protocol.InferParameter(int64_param=1)
BAD = {
    # what is wrong: request, reason, words of the message
    "no input": (Infer(), "INPUTS", "0 tensors, wanted one, called pixels"),
    "two inputs": (
        changed(lambda request: request.inputs.add(name="pixels")),
        "INPUTS",
        "2 tensors, wanted one",
    ),
    "other input": (changed(set_input(name="x")), "UNKNOWN_INPUT", "no input 'x', only pixels"),
    "datatype": (changed(set_input(datatype="FP64")), "DATATYPE", "'FP64', wanted FP32 or UINT8"),
    "no datatype": (changed(set_input(datatype="")), "DATATYPE", "datatype ''"),
    "no shape": (changed(set_input(shape=[])), "BYTE_COUNT", r"shape \[\]"),
    "zero": (changed(set_input(shape=[0, 784])), "BYTE_COUNT", r"shape \[0, 784\]"),
    "negative": (
        changed(set_input(shape=[-2, -784])),
        "SHAPE",
        "give the number of images in place of a negative dimension",
    ),
    "too few bytes": (
        changed(set_input(shape=[3, 784])),
        "BYTE_COUNT",
        "2352 values in 9408 bytes, but there are 6272 bytes",
    ),
    "bytes of another type": (
        changed(set_input(datatype="UINT8")),
        "BYTE_COUNT",
        "1568 values in 1568 bytes, but there are 6272 bytes",
    ),
    "turned shape": (
        changed(set_input(shape=[784, 2])),
        "SHAPE",
        r"shape \[784, 2\], wanted \[N, 784\] or \[N, 28, 28\]",
    ),
    "other sides": (changed(set_input(shape=[2, 14, 56])), "SHAPE", r"shape \[2, 14, 56\]"),
    "flat": (changed(set_input(shape=[1568])), "SHAPE", r"shape \[1568\]"),
    "both forms": (
        changed(lambda request: request.raw_input_contents.append(b""), typed_request(BLACK)),
        "BOTH_FORMS",
        "send one of them",
    ),
    "two raw inputs": (
        changed(lambda request: request.raw_input_contents.append(b"")),
        "INPUTS",
        "2 entries for 1 input",
    ),
    "wrong typed field": (
        changed(set_input(datatype="UINT8"), typed_request(BLACK)),
        "DATATYPE",
        "belong in uint_contents, but there are some in fp32_contents; move them",
    ),
    "byte above 255": (
        changed(
            lambda request: request.inputs[0].contents.uint_contents.__setitem__(3, 256),
            typed_request(BLACK.astype(np.uint8)),
        ),
        "PIXEL_RANGE",
        "value 3 is 256, wanted 0 to 255",
    ),
    "nan": (raw_request(np.full((1, 784), np.nan, np.float32)), "NOT_FINITE", "pixel 0 is nan"),
    "255": (raw_request(np.full((1, 784), 255, np.float32)), "PIXEL_RANGE", "divide by 255"),
    "too many": (
        raw_request(np.zeros((1001, 784), np.uint8)),
        "BATCH_SIZE",
        "holds 1001 images, and one call may hold 1000",
    ),
    "unknown output": (
        raw_request(BLACK, "labels", "softmax"),
        "UNKNOWN_OUTPUT",
        "no output 'softmax'; it has activations, labels, hidden_1, hidden_2",
    ),
    "output twice": (
        raw_request(BLACK, *["hidden_1", "labels"] * 1500),
        "DUPLICATE_OUTPUT",
        "'hidden_1' is asked for more than once",
    ),
    "many outputs": (
        raw_request(BLACK, *map(str, range(3000))),
        "UNKNOWN_OUTPUT",
        "no output '0'; it has activations",
    ),
    "many dimensions": (changed(set_input(shape=[1] * 9)), "SHAPE", "a shape of 9 dimensions"),
    "large dimensions": (changed(set_input(shape=[2**40] * 2200)), "SHAPE", "2200 dimensions"),
    "very many dimensions": (
        changed(set_input(shape=[1] * 100_000)),
        "DESCRIPTION_BYTES",
        "names, shape and parameters have 1000.. bytes together, more than the limit of 65536",
    ),
    "very many parameters": (
        raw_request(BLACK, parameters={str(number): PARAMETER for number in range(5000)}),
        "TOO_MANY_FIELDS",
        "more than the limit of 4096 for one call",
    ),
    "empty strings": (
        changed(
            lambda request: request.inputs[0].contents.bytes_contents.extend([b""] * 100_000),
            typed_request(BLACK),
        ),
        "TOO_MANY_FIELDS",
        "more than the limit of 4096 for one call",
    ),
    "empty string": (
        changed(
            lambda request: request.inputs[0].contents.bytes_contents.append(b""),
            typed_request(BLACK),
        ),
        "DATATYPE",
        "belong in fp32_contents, but there are some in bytes_contents; move them",
    ),
    "version beyond int64": (
        raw_request(BLACK, model_version=str(2**63)),
        "VERSION",
        "'9223372036854775808' is not a version",
    ),
    "version": (raw_request(BLACK, model_version="2nd"), "VERSION", "'2nd' is not a version"),
}


@pytest.mark.parametrize("what", BAD)
def test_every_mismatch_is_named_and_counted(
    what: str, server: ServerProcess, channel: grpc.Channel
) -> None:
    request, reason, words = BAD[what]
    labels = {"reason": reason.lower()}
    before = value(server, "mlpserve_rejected_requests_total", **labels)
    with pytest.raises(grpc.RpcError, match=words) as caught:
        infer(channel, request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value).reason == reason
    assert value(server, "mlpserve_rejected_requests_total", **labels) == before + 1
    assert infer(channel, raw_request(BLACK)).outputs


@pytest.mark.parametrize("method", ["ModelInfer", "ModelMetadata", "ModelConfig"])
@pytest.mark.parametrize(
    ("model", "version", "reason", "words"),
    [
        ("letters", "", "MODEL_NOT_FOUND", "model 'letters' is not loaded; name one of: digits"),
        ("digits", "7", "VERSION_NOT_FOUND", "has no version 7 loaded"),
        ("digits", "20251129123456789", "VERSION_NOT_FOUND", "no version 20251129123456789"),
        ("digits", str(2**63 - 1), "VERSION_NOT_FOUND", f"has no version {2**63 - 1} loaded"),
        ("digits", "newest", "LABEL_NOT_FOUND", "has no label 'newest'; ask for version 1"),
    ],
)
def test_unknown_model_lists_what_is_loaded(
    each_channel: grpc.Channel, method: str, model: str, version: str, reason: str, words: str
) -> None:
    # ModelConfigRequest has the same fields.
    request: Message = protocol.ModelMetadataRequest(name=model, version=version)
    if method == "ModelInfer":
        request = raw_request(BLACK, model_name=model, model_version=version)
    with pytest.raises(grpc.RpcError, match=words) as caught:
        ask(each_channel, method, request, protocol.ModelInferResponse)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(caught.value).reason == reason


def test_unpacked_numbers_of_many_images_are_answered(channel: grpc.Channel) -> None:
    images = np.linspace(0, 1, 1000 * 784, dtype=np.float32).reshape(1000, 784)
    expected = infer(channel, raw_request(images, "labels"))
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer"
    )
    request = raw_request(images, "labels")
    del request.raw_input_contents[:]
    tag = bytes([Contents.FP32_CONTENTS_FIELD_NUMBER << 3 | wire.FIXED32])
    numbers = b"".join(tag + number.tobytes() for number in images.ravel())
    tensor = request.inputs[0].SerializeToString()
    contents = wire.encode_tagged(Tensor.CONTENTS_FIELD_NUMBER, numbers)
    del request.inputs[:]
    whole = wire.encode_tagged(Infer.INPUTS_FIELD_NUMBER, b"".join([tensor, *contents]))
    message = b"".join([request.SerializeToString(), *whole])
    response = protocol.ModelInferResponse.FromString(call(message, timeout=60))
    labels = np.frombuffer(expected.raw_output_contents[0], "<i8")
    assert list(response.outputs[0].contents.int64_contents) == labels.tolist()


def test_bytes_that_are_no_request(each_channel: grpc.Channel) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = each_channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer"
    )
    whole = raw_request(BLACK).SerializeToString()
    for message in (b"\xff" * 20, whole[:-100], b"\x2a\x02\x0a\x05"):
        with pytest.raises(
            grpc.RpcError, match=r"is not an inference\.ModelInferRequest"
        ) as caught:
            call(message, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
