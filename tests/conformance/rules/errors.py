"""ModelInfer: what the server must refuse, and how."""

from functools import partial

import grpc

from tests.conformance.rule import rule
from tests.conformance.subject import (
    ANY_SIZE,
    NO_ANSWER,
    UNKNOWN,
    Broken,
    NotApplicable,
    Request,
    Subject,
    expect,
    refusal,
    same,
    unless,
    values_of,
)
from tests.conformance.tensors import FORMATS, TEXT, Tensor, make

OTHER_DATATYPES = ("INT64", "FP64", TEXT)
"""What stands for a wrong datatype: the first that no input has."""


@rule("Inference", "Errors are indicated by the status: an unknown model is an error.")
def unknown_model_is_an_error(subject: Subject) -> None:
    subject.refused(_unknown_model(subject), f"the model {UNKNOWN}")


@rule("Inference", "Errors are indicated by the status: an unknown version is an error.")
def unknown_version_is_an_error(subject: Subject) -> None:
    request = subject.request()
    request.model_version = subject.unknown_version
    subject.refused(request, f"version {request.model_version}")


@rule("Model Metadata (REST: inputs)", "The model takes the inputs of its metadata, no others.")
def unknown_input_is_an_error(subject: Subject) -> None:
    subject.refused(_unknown_input(subject), f"an input called {UNKNOWN}")


@rule("Model Metadata (REST: inputs)", "An input that the model does not have is an error.")
def additional_input_is_an_error(subject: Subject) -> None:
    request = subject.request()
    request.inputs.add(name=UNKNOWN, datatype="INT64", shape=[1])
    request.raw_input_contents.append(bytes(8))
    subject.refused(request, "an input more than the model has")


@rule("Model Metadata (REST: inputs)", "The inputs of the metadata are required: none is missing.")
def missing_input_is_an_error(subject: Subject) -> None:
    request = subject.request()
    del request.inputs[-1], request.raw_input_contents[-1]
    subject.refused(request, "a request with an input missing")


@rule("Inference", "A request gives each input once.")
def repeated_input_is_an_error(subject: Subject) -> None:
    request = subject.request()
    request.inputs.append(request.inputs[0])
    request.raw_input_contents.append(request.raw_input_contents[0])
    subject.refused(request, "a request with an input twice")


@rule("Inference", "Outputs that are requested must be the model's.")
def unknown_output_is_an_error(subject: Subject) -> None:
    request = subject.request()
    request.outputs.add(name=UNKNOWN)
    subject.refused(request, f"a request for the output {UNKNOWN}")


@rule("Inference", "An input has the data type given by the model's metadata.")
def wrong_datatype_is_an_error(subject: Subject) -> None:
    given = subject.tensors()
    taken = {tensor.datatype for tensor in given}
    wrong = next((name for name in OTHER_DATATYPES if name not in taken), None)
    if wrong is None:
        raise NotApplicable("the model has inputs of all datatypes that would be wrong")
    first = make(given[0].name, wrong, given[0].values.shape, seed=0)
    subject.refused(
        subject.request(of=[first, *given[1:]]), f"{wrong} for an input of {given[0].datatype}"
    )


@rule("Tensor Data Types", "A data type is one of those in the table.")
def unknown_datatype_is_an_error(subject: Subject) -> None:
    for datatype in ("FP31", "fp 32", ""):
        request = subject.request()
        request.inputs[0].datatype = datatype
        subject.refused(request, f"an input of datatype {datatype!r}")


@rule("Inference", "An input has the sizes given by the model's metadata.")
def wrong_size_is_an_error(subject: Subject) -> None:
    fixed = [
        (number, axis)
        for number, tensor in enumerate(subject.metadata.inputs)
        for axis, size in enumerate(tensor.shape)
        if size != ANY_SIZE
    ]
    unless(not fixed, "the inputs may have any size")
    for number, axis in fixed:
        given = subject.tensors()
        shape = list(given[number].values.shape)
        shape[axis] += 1
        given[number] = _reshaped(given[number], shape)
        subject.refused(subject.request(of=given), f"{given[number].name} of shape {shape}")


@rule("Inference", "An input has as many dimensions as the model's metadata gives.")
def wrong_rank_is_an_error(subject: Subject) -> None:
    given = subject.tensors()
    # Twice the values, so that no arrangement of them would be what the model takes.
    shape = [*given[0].values.shape, 2, 1]
    given[0] = _reshaped(given[0], shape)
    subject.refused(subject.request(of=given), f"{given[0].name} of shape {shape}")


@rule("Inference (REST: shape)", "Each dimension is representable as an unsigned integer.")
def negative_size_is_an_error(subject: Subject) -> None:
    for sign in (-1, -(2**40)):
        request = subject.request()
        shape = request.inputs[0].shape
        unless(not shape, "the first input has no dimensions")
        shape[0] = sign * max(1, shape[0])
        subject.refused(request, f"a shape of {list(shape)}")


@rule("Inference", "Content matches the shape, however large its product is.")
def overflowing_shape_is_an_error(subject: Subject) -> None:
    row = list(subject.request().inputs[0].shape)[1:]
    # Modulo 2**64 these have no values, or no bytes, which none would fit.
    for shape in ([2**62, *row], [2**32, 2**32], [2**62, 4]):
        request = subject.request()
        request.inputs[0].shape[:] = shape
        request.raw_input_contents[0] = b""
        subject.refused(request, f"a shape of {shape} without values")


@rule("Inference", "Errors are indicated by the status: bytes that aren't a request are an error.")
def unreadable_message_is_an_error(subject: Subject) -> None:
    for message in (b"\xff" * 20, subject.request().SerializeToString()[:-1]):
        refusal(
            partial(subject.server.send_bytes, "ModelInfer", message),
            "a message that is not a request",
        )


@rule("Inference (REST: error)", "An error has a descriptive message.")
def error_says_why(subject: Subject) -> None:
    messages = [error.details() or "" for error in _errors(subject) if error is not None]
    unless(not messages, "the server refuses none of the bad requests")
    expect(all(message.strip() for message in messages), "an error has no message")


@rule("Server Live", "The server can still receive and respond to requests after errors.")
def server_answers_after_errors(subject: Subject) -> None:
    for error in _errors(subject):
        code = error and error.code()
        expect(code not in NO_ANSWER, f"a bad request ended with {code}")
    expect(subject.server.live(), "the server does not live any more")
    expect(bool(subject.server.infer(subject.request()).outputs), "there are no outputs")


@rule("Inference", "A status concerns one request: concurrent others still get their answers.")
def errors_are_for_their_request_alone(subject: Subject) -> None:
    subject.need_sense()
    good = [subject.request(seed) for seed in range(8)]
    wanted = [subject.answer(request) for request in good]
    bad, alone = _bad_requests(subject), _errors(subject)
    mixed = [request for index, one in enumerate(good) for request in (one, bad[index % len(bad)])]
    found = subject.server.infer_at_once(mixed)
    for index, (answer, expected) in enumerate(zip(found[::2], wanted, strict=True)):
        if isinstance(answer, grpc.RpcError):
            raise Broken(f"request {index} failed among bad ones: {answer.details()}")
        expect(same(values_of(answer), expected), f"request {index} has another answer among them")
    for index, answer in enumerate(found[1::2]):
        is_error = isinstance(answer, grpc.RpcError)
        expect(
            is_error == (alone[index % len(bad)] is not None),
            "a bad request is an error alone and none among good ones, or the other way round",
        )


def _unknown_model(subject: Subject) -> Request:
    request = subject.request()
    request.model_name, request.model_version = UNKNOWN, ""
    return request


def _unknown_input(subject: Subject) -> Request:
    request = subject.request()
    request.inputs[0].name = UNKNOWN
    return request


def _bad_requests(subject: Subject) -> list[Request]:
    """Requests that are wrong each in its way."""
    short = subject.request()
    short.raw_input_contents[0] = short.raw_input_contents[0][:-1]
    return [_unknown_model(subject), _unknown_input(subject), short]


def _errors(subject: Subject) -> list[grpc.RpcError | None]:
    """Return the error that each bad request ends with, or None where it is answered."""
    found: list[grpc.RpcError | None] = []
    for request in _bad_requests(subject):
        try:
            subject.server.infer(request)
        except grpc.RpcError as error:
            found.append(error)
        else:
            found.append(None)
    return found


def _reshaped(tensor: Tensor, shape: list[int]) -> Tensor:
    """Return a tensor of this shape and type."""
    assert tensor.datatype in FORMATS
    return make(tensor.name, tensor.datatype, shape, seed=0)
