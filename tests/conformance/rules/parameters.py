"""ModelInfer: parameters, none of which the protocol defines."""

from collections.abc import Mapping

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import Request, Subject, expect, same
from tests.conformance.tensors import Values

PARAMETER = "conformance_custom_parameter"
VALUES = (
    protocol.InferParameter(bool_param=True),
    protocol.InferParameter(int64_param=-7),
    protocol.InferParameter(string_param="any text"),
)


def _answered_alike(
    subject: Subject, request: Request, plain: Mapping[str, Values], what: str
) -> None:
    """Raise Broken unless the request has the answer that it has without parameters."""
    expect(same(subject.answer(request), plain), f"{what} changes the answer")


@rule("Parameters", "A request may have any parameter, a boolean, an integer or a string.")
def requests_may_have_parameters(subject: Subject) -> None:
    subject.need_sense()
    plain = subject.answer(subject.request())
    for value in VALUES:
        request = subject.request()
        request.parameters[PARAMETER].CopyFrom(value)
        _answered_alike(subject, request, plain, f"a parameter of the request ({value})")


@rule("Parameters", "An input may have any parameter.")
def inputs_may_have_parameters(subject: Subject) -> None:
    subject.need_sense()
    plain = subject.answer(subject.request())
    for value in VALUES:
        request = subject.request()
        request.inputs[0].parameters[PARAMETER].CopyFrom(value)
        _answered_alike(subject, request, plain, f"a parameter of an input ({value})")


@rule("Parameters", "A requested output may have any parameter.")
def outputs_may_have_parameters(subject: Subject) -> None:
    subject.need_sense()
    for value in VALUES:
        request = subject.request()
        for tensor in subject.metadata.outputs:
            request.outputs.add(name=tensor.name)
        plain = subject.answer(request)
        for output in request.outputs:
            output.parameters[PARAMETER].CopyFrom(value)
        _answered_alike(subject, request, plain, f"a parameter of an output ({value})")
