"""ModelStreamInfer, which no extension announces: it is there or not."""

import grpc

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import (
    UNKNOWN,
    Broken,
    NotApplicable,
    Request,
    Subject,
    expect,
    same,
    values_of,
)

SECTION = "ModelStreamInfer"
MANY = 20


def _stream(subject: Subject, requests: list[Request]) -> list[protocol.ModelStreamInferResponse]:
    """Return all answers to a stream; raises NotApplicable when the server has no streams."""
    try:
        return subject.server.stream(requests)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise NotApplicable("the server has no ModelStreamInfer") from error
        raise


def _numbered(subject: Subject, count: int) -> list[Request]:
    requests = [subject.request(seed) for seed in range(count)]
    for number, request in enumerate(requests):
        request.id = f"request {number}"
    return requests


def _spoilt(subject: Subject) -> list[Request]:
    """Five requests, of which the second and the fourth are errors."""
    requests = _numbered(subject, 5)
    requests[1].inputs[0].name = UNKNOWN
    requests[3].model_name, requests[3].model_version = UNKNOWN, ""
    return requests


@rule(SECTION, "Streaming inference: each request has its answer.")
def requests_are_answered(subject: Subject) -> None:
    found = _stream(subject, _numbered(subject, MANY))
    expect(len(found) == MANY, f"{len(found)} answers to {MANY} requests")
    errors = [answer.error_message for answer in found if answer.error_message]
    expect(not errors, f"a good request is an error: {errors[:1]}")


@rule(SECTION, "Answers come in the order of their requests, with their ids.")
def answers_are_in_order(subject: Subject) -> None:
    requests = _numbered(subject, MANY)
    wanted = [request.id for request in requests]
    found = [answer.infer_response.id for answer in _stream(subject, requests)]
    expect(found == wanted, f"the answers' ids are {found}")


@rule(SECTION, "An answer is the same as ModelInfer's.")
def answers_are_those_of_model_infer(subject: Subject) -> None:
    requests = _numbered(subject, 4)
    found = _stream(subject, requests)
    subject.need_sense()
    for request, answer in zip(requests, found, strict=True):
        response = answer.infer_response
        expect(
            same(values_of(response), subject.answer(request)),
            f"{request.id} has another answer in a stream",
        )
        expect(response.model_name == subject.model, f"model_name is {response.model_name!r}")


@rule(SECTION, "An error is a message in the answer of its request.")
def errors_are_messages(subject: Subject) -> None:
    found = [bool(answer.error_message) for answer in _stream(subject, _spoilt(subject))]
    expect(found == [False, True, False, True, False], f"answers with an error_message: {found}")


@rule(SECTION, "An error does not end the stream: the requests after it are answered.")
def errors_do_not_end_the_stream(subject: Subject) -> None:
    requests = _spoilt(subject)
    try:
        found = _stream(subject, requests)
    except grpc.RpcError as error:
        raise Broken(f"a bad request ends the stream with {error.code().name}") from error
    expect(len(found) == len(requests), f"{len(found)} answers to {len(requests)} requests")
    last = found[-1]
    expect(last.infer_response.id == requests[-1].id, "the request after errors has no answer")
    expect(bool(last.infer_response.outputs), "the request after errors has no outputs")


@rule(SECTION, "A stream without requests ends without answers.")
def empty_stream_ends(subject: Subject) -> None:
    found = _stream(subject, [])
    expect(not found, f"{len(found)} answers to no request")
