"""What a ModelInfer may ask for beside a model's answer: each wish is honoured or refused."""

from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import violation
from harness.scrape import value
from harness.server_process import ServerProcess
from mlpserve.inference import open_inference_pb2 as protocol
from tests.server.rpc.infer_calls import Infer, Inferred, infer, raw_request, typed_request

Parameter = protocol.InferParameter

SHAPES = [
    *((784,), (28, 28), (1, 784), (1, 28, 28), (1, 1, 28, 28), (1, 28, 28, 1), (784, 1)),
    *((3, 784), (3, 28, 28), (3, 1, 28, 28), (3, 28, 28, 1), (3, 1, 784, 1), (1, 3, 784)),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_means_what_it_obviously_means(
    each_channel: grpc.Channel, digits: tuple[Batch, Labels], shape: tuple[int, ...]
) -> None:
    images = digits[0][: np.prod(shape) // 784]
    expected = infer(each_channel, raw_request(images))
    assert infer(each_channel, raw_request(images.reshape(shape))) == expected
    assert list(expected.outputs[0].shape) == [len(images), 10]


def with_parameters(request: Infer, **parameters: Parameter) -> Infer:
    for name, parameter in parameters.items():
        request.parameters[name].CopyFrom(parameter)
    return request


def with_output(request: Infer, name: str, **parameters: Parameter) -> Infer:
    output = request.outputs.add(name=name)
    for key, parameter in parameters.items():
        output.parameters[key].CopyFrom(parameter)
    return request


TRUE, FALSE = Parameter(bool_param=True), Parameter(bool_param=False)


@pytest.mark.parametrize("form", [raw_request, typed_request])
@pytest.mark.parametrize("is_raw", [True, False])
def test_answer_has_the_form_asked_for(
    each_channel: grpc.Channel, form: Callable[..., Infer], is_raw: bool
) -> None:
    black = np.zeros((2, 784), np.float32)
    wish = TRUE if is_raw else FALSE
    for request in (
        with_parameters(form(black), binary_data_output=wish),
        with_output(form(black), "activations", binary_data=wish),
        with_parameters(
            with_output(form(black), "labels", binary_data=wish),
            binary_data_output=FALSE if is_raw else TRUE,
        ),
    ):
        response = infer(each_channel, request)
        assert bool(response.raw_output_contents) == is_raw
        assert all(output.HasField("contents") != is_raw for output in response.outputs)


def texts_of(response: Inferred) -> list[str]:
    """The first output's texts, whichever form they have."""
    (output, *_) = response.outputs
    assert output.datatype == "BYTES"
    if not response.raw_output_contents:
        return [text.decode() for text in output.contents.bytes_contents]
    content, texts = response.raw_output_contents[0], []
    while content:
        size = 4 + int.from_bytes(content[:4], "little")
        texts.append(content[4:size].decode())
        content = content[size:]
    return texts


def ranked(values: Batch, count: int) -> list[list[int]]:
    """The places of the largest values of each row, as Python sorts them."""
    return [
        sorted(range(len(row)), key=lambda place: (-row[place], place))[:count]
        for row in values.tolist()
    ]


@pytest.mark.parametrize("form", [raw_request, typed_request])
@pytest.mark.parametrize("count", [1, 3, 10, 5000])
@pytest.mark.parametrize("name", ["activations", "hidden_2"])
def test_classification_ranks_the_values_of_each_image(
    each_channel: grpc.Channel,
    digits: tuple[Batch, Labels],
    form: Callable[..., Infer],
    count: int,
    name: str,
) -> None:
    images = digits[0][:5]
    plain = infer(each_channel, raw_request(images, name, "labels"))
    values = np.frombuffer(plain.raw_output_contents[0], "<f4").reshape(5, -1)
    request = with_output(form(images), name, classification=Parameter(int64_param=count))
    response = infer(each_channel, with_output(request, "labels"))
    columns = min(count, values.shape[1])
    assert list(response.outputs[0].shape) == [5, columns]
    assert response.outputs[1].datatype == "INT64"
    parts = [text.split(":") for text in texts_of(response)]
    expected = [place for row in ranked(values, columns) for place in row]
    assert [int(part[1]) for part in parts] == expected
    # The very float32, in as many digits as that takes.
    numbers = np.array([part[0] for part in parts], np.float32).reshape(5, columns)
    np.testing.assert_array_equal(
        numbers, np.take_along_axis(values, np.array(expected).reshape(5, columns), axis=1)
    )
    labels = [part[2:] for part in parts]
    assert labels == (
        [[str(place)] for place in expected] if name == "activations" else [[]] * len(parts)
    )


def test_plain_values_come_without_a_class_count(each_channel: grpc.Channel) -> None:
    black = np.zeros((1, 784), np.float32)
    none = with_output(raw_request(black), "activations", classification=Parameter(int64_param=0))
    assert infer(each_channel, none) == infer(each_channel, raw_request(black, "activations"))


BLACK = np.zeros((1, 784), np.float32)
NUMBER, TEXT = Parameter(int64_param=1), Parameter(string_param="1")


def on_input(name: str) -> Infer:
    request = raw_request(BLACK)
    request.inputs[0].parameters[name].CopyFrom(TEXT)
    return request


REFUSED = {
    # what is asked for: request, words of the error
    "timeout below 0": (
        with_parameters(raw_request(BLACK), timeout=Parameter(int64_param=-1)),
        "'timeout': it is -1, wanted 0 or more",
    ),
    "timeout that is a text": (
        with_parameters(raw_request(BLACK), timeout=TEXT),
        "'timeout': it is '1', which is not an integer",
    ),
    "timeout that is a flag": (
        with_parameters(raw_request(BLACK), timeout=TRUE),
        "'timeout': it is True, which is not an integer",
    ),
    "timeout without a value": (
        with_parameters(raw_request(BLACK), timeout=Parameter()),
        "'timeout': it is None, which is not an integer",
    ),
    "priority": (
        with_parameters(raw_request(BLACK), priority=Parameter(uint64_param=1)),
        "'priority': all requests have the same priority, 0; leave it out",
    ),
    "sequence": (
        with_parameters(raw_request(BLACK), sequence_id=NUMBER, sequence_start=TRUE),
        "'sequence_id': models keep nothing between requests",
    ),
    "named sequence": (
        with_parameters(raw_request(BLACK), sequence_id=TEXT),
        "'sequence_id': models keep nothing between requests",
    ),
    "reserved": (
        with_parameters(raw_request(BLACK), triton_x=NUMBER),
        "'triton_x': names that begin with triton_ are reserved; leave it out",
    ),
    "form that is no flag": (
        with_parameters(raw_request(BLACK), binary_data_output=NUMBER),
        "'binary_data_output': it is 1, which is not true or false; send a bool_param",
    ),
    "forms that differ": (
        with_output(
            with_output(raw_request(BLACK), "activations", binary_data=TRUE),
            "labels",
            binary_data=FALSE,
        ),
        "give binary_data to all of them or to none",
    ),
    "ranked labels": (
        with_output(raw_request(BLACK), "labels", classification=NUMBER),
        "labels has one number for each image, which can't be ranked",
    ),
    "classes below 0": (
        with_output(raw_request(BLACK), "activations", classification=Parameter(int64_param=-2)),
        "outputs: 'activations': 'classification': it is -2, wanted 0 or more",
    ),
    "classes that are a text": (
        with_output(raw_request(BLACK), "activations", classification=TEXT),
        "'classification': it is '1', which is not an integer",
    ),
    "output in shared memory": (
        with_output(raw_request(BLACK), "labels", shared_memory_region=TEXT),
        "'shared_memory_region': the server has no shared memory",
    ),
    "input in shared memory": (
        on_input("shared_memory_byte_size"),
        "inputs: pixels: 'shared_memory_byte_size': the server has no shared memory",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_t_be_honoured_is_refused(
    what: str, server: ServerProcess, channel: grpc.Channel
) -> None:
    request, words = REFUSED[what]
    before = value(server, "mlpserve_rejected_requests_total", reason="parameter")
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel, request)
    assert words in str(caught.value.details())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value).reason == "PARAMETER"
    assert value(server, "mlpserve_rejected_requests_total", reason="parameter") == before + 1


def test_what_changes_nothing_is_taken(each_channel: grpc.Channel) -> None:
    expected = infer(each_channel, raw_request(BLACK))
    request = with_parameters(
        raw_request(BLACK),
        priority=Parameter(int64_param=0),
        sequence_id=Parameter(int64_param=0),
        sequence_start=FALSE,
        unknown=TEXT,
        # As much time as it takes.
        timeout=Parameter(int64_param=0),
    )
    request.inputs[0].parameters["binary_data_size"].int64_param = 3136
    assert infer(each_channel, request) == expected
    request.parameters["timeout"].uint64_param = 2**63
    assert infer(each_channel, request) == expected


def test_timeout_is_a_deadline_for_the_run(
    each_server: ServerProcess, each_channel: grpc.Channel
) -> None:
    before = value(each_server, "mlpserve_rejected_requests_total", reason="timeout")
    # A microsecond, which reading the message alone takes.
    request = with_parameters(raw_request(BLACK), timeout=NUMBER)
    with pytest.raises(grpc.RpcError, match="timeout, 1e-06 s, passed before the model") as caught:
        infer(each_channel, request)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert value(each_server, "mlpserve_rejected_requests_total", reason="timeout") == before + 1


def stream(
    channel: grpc.Channel, messages: Iterator[bytes]
) -> Iterator[protocol.ModelStreamInferResponse]:
    call: grpc.StreamStreamMultiCallable[bytes, protocol.ModelStreamInferResponse]
    call = channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        response_deserializer=protocol.ModelStreamInferResponse.FromString,
    )
    return call(messages, timeout=60)


def test_stream_answers_each_request_in_order(
    each_channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    images = digits[0]
    requests: list[Infer | bytes] = [
        raw_request(images[:3], id="a"),
        raw_request(images[:1, :783], id="short"),
        raw_request(images[3:4], "hidden_1"),
        raw_request(images[:1], id="nobody", model_name="nobody"),
        b"\xff" * 9,
        raw_request(images[4:6], id="é" * 300),
    ]
    messages = [one if isinstance(one, bytes) else one.SerializeToString() for one in requests]
    responses = list(stream(each_channel, iter(messages)))
    assert len(responses) == len(requests)
    for request, response in zip(requests, responses, strict=True):
        if isinstance(request, bytes):
            assert "is not an inference.ModelInferRequest" in response.error_message
            assert not response.infer_response.id
            continue
        assert response.infer_response.id == request.id
        if request.id in ("short", "nobody"):
            assert not response.infer_response.outputs
        else:
            assert response.infer_response == infer(each_channel, request)
            assert not response.error_message
    assert "783" in responses[1].error_message
    assert "'nobody' is not loaded" in responses[3].error_message


def test_last_answer_to_a_request_says_so_when_asked(each_channel: grpc.Channel) -> None:
    request = with_parameters(raw_request(BLACK, id="7"), triton_enable_empty_final_response=TRUE)
    (streamed,) = stream(each_channel, iter([request.SerializeToString()]))
    for response in (streamed.infer_response, infer(each_channel, request)):
        assert response.parameters["triton_final_response"].bool_param
        assert response.id == "7"
    (streamed,) = stream(each_channel, iter([raw_request(BLACK).SerializeToString()]))
    assert not streamed.infer_response.parameters
