"""ModelInfer: which outputs are returned."""

from tests.conformance.rule import rule
from tests.conformance.subject import Request, Subject, equal, expect, unless, values_of

Named = Request.InferRequestedOutputTensor


def _names(subject: Subject) -> list[str]:
    return [tensor.name for tensor in subject.metadata.outputs]


def _asking(subject: Subject, names: list[str]) -> Request:
    request = subject.request()
    request.outputs.extend(Named(name=name) for name in names)
    return request


@rule("Inference", "Outputs may be requested; then those are returned and no others.")
def named_outputs_alone_are_returned(subject: Subject) -> None:
    for name in _names(subject):
        response = subject.server.infer(_asking(subject, [name]))
        found = [output.name for output in response.outputs]
        expect(found == [name], f"{name} is requested, and the outputs are {found}")


@rule("Inference", "All outputs may be requested by name, in any order.")
def outputs_may_be_named_in_any_order(subject: Subject) -> None:
    names = _names(subject)
    for order in (names, names[::-1]):
        response = subject.server.infer(_asking(subject, order))
        found = [output.name for output in response.outputs]
        expect(sorted(found) == sorted(names), f"{order} are requested, and returned are {found}")


@rule("Inference", "Raw output contents are in the same order as the outputs.")
def raw_contents_are_in_order(subject: Subject) -> None:
    names = _names(subject)
    unless(len(names) < 2, "the model has one output")
    subject.need_sense()
    alone = {name: subject.answer(_asking(subject, [name]))[name] for name in names}
    for order in (names, names[::-1]):
        together = values_of(subject.server.infer(_asking(subject, order)))
        for name in names:
            expect(
                name in together and equal(together[name], alone[name]),
                f"{name} has other values when {order} are requested than alone",
            )


@rule("Inference", "A requested output is the same as when none is requested.")
def named_outputs_have_the_same_values(subject: Subject) -> None:
    subject.need_sense()
    everything = subject.answer(subject.request())
    for name in everything:
        alone = subject.answer(_asking(subject, [name]))
        expect(
            name in alone and equal(everything[name], alone[name]),
            f"{name} has other values when it is requested by name",
        )


@rule("Inference", "An output that is requested by name has the metadata's data type.")
def named_outputs_have_their_datatype(subject: Subject) -> None:
    for tensor in subject.metadata.outputs:
        for output in subject.server.infer(_asking(subject, [tensor.name])).outputs:
            expect(
                (output.name, output.datatype) == (tensor.name, tensor.datatype),
                f"{tensor.name} of {tensor.datatype} is requested, and returned is "
                f"{output.name} of {output.datatype}",
            )
