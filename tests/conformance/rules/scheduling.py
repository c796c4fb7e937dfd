"""The extension schedule_policy."""

import grpc

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import Request, Subject, expect, same

EXTENSION = SECTION = "schedule_policy"
MINUTE_MICROSECONDS = 60_000_000


def _with(subject: Subject, name: str, value: protocol.InferParameter) -> Request:
    request = subject.request()
    request.parameters[name].CopyFrom(value)
    return request


@rule(SECTION, "timeout is in microseconds; a request completed within it is answered.", EXTENSION)
def long_timeout_is_kept(subject: Subject) -> None:
    value = protocol.InferParameter(int64_param=MINUTE_MICROSECONDS)
    wanted = subject.answer(subject.request())
    subject.need_sense()
    found = subject.answer(_with(subject, "timeout", value))
    expect(same(found, wanted), "a timeout of a minute changes the answer")


@rule(SECTION, "A request that can't be completed within its timeout ends at once.", EXTENSION)
def short_timeout_ends(subject: Subject) -> None:
    value = protocol.InferParameter(int64_param=1)
    try:
        subject.server.infer(_with(subject, "timeout", value))
    except grpc.RpcError as error:
        # The server's own deadline says so in words; that of this call has its fixed ones.
        words = error.details() or ""
        expect(words not in ("", "Deadline Exceeded"), "the request does not end by itself")
    expect(bool(subject.server.infer(subject.request()).outputs), "no answer afterwards")


@rule(SECTION, "The priority zero is that of requests without the parameter.", EXTENSION)
def default_priority_is_answered(subject: Subject) -> None:
    wanted = subject.answer(subject.request())
    subject.need_sense()
    value = protocol.InferParameter(int64_param=0)
    found = subject.answer(_with(subject, "priority", value))
    expect(same(found, wanted), "priority 0 changes the answer")


@rule(SECTION, "timeout is an int64 value.", EXTENSION)
def timeout_is_a_number(subject: Subject) -> None:
    value = protocol.InferParameter(string_param="soon")
    subject.refused(_with(subject, "timeout", value), "a timeout that is a text")


@rule(SECTION, "priority is an int64 value.", EXTENSION)
def priority_is_a_number(subject: Subject) -> None:
    value = protocol.InferParameter(string_param="high")
    subject.refused(_with(subject, "priority", value), "a priority that is a text")
