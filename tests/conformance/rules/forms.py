"""ModelInfer: the two forms of inputs, raw and in the field of the datatype."""

from tests.conformance.rule import rule
from tests.conformance.subject import Request, Subject, expect, same, unless
from tests.conformance.tensors import FIELDS, TEXT


@rule("Inference", "An input can be represented in raw bytes form.")
def raw_inputs_are_read(subject: Subject) -> None:
    expect(bool(subject.server.infer(subject.request(1)).outputs), "there are no outputs")


@rule("Inference", "An input can be represented in the type that matches its data type.")
def typed_inputs_are_read(subject: Subject) -> None:
    expect(bool(subject.server.infer(subject.typed_request(1)).outputs), "there are no outputs")


@rule("Tensor Data", "Both forms represent the same tensor, so the answer is the same.")
def both_forms_mean_the_same(subject: Subject) -> None:
    subject.need_sense()
    for seed in range(3):
        raw, typed = (
            subject.answer(form(seed)) for form in (subject.request, subject.typed_request)
        )
        expect(same(raw, typed), f"the same input has other answers raw and typed: {raw}, {typed}")


@rule("Inference", "If raw input contents are given, no input may have contents.")
def both_forms_at_once_are_an_error(subject: Subject) -> None:
    request = subject.typed_request()
    request.raw_input_contents.extend(subject.request().raw_input_contents)
    subject.refused(request, "a request with contents and raw_input_contents")


@rule("Inference", "An input has data in one form or the other.")
def no_data_is_an_error(subject: Subject) -> None:
    request = subject.request()
    del request.raw_input_contents[:]
    subject.refused(request, "an input without data")


@rule("Inference", "Raw input contents are given for each input: not for more.")
def surplus_raw_contents_are_an_error(subject: Subject) -> None:
    request = subject.request()
    request.raw_input_contents.append(request.raw_input_contents[-1])
    subject.refused(request, "one raw_input_contents more than inputs")


@rule("Inference", "Raw input contents are given for each input: not for fewer.")
def missing_raw_contents_are_an_error(subject: Subject) -> None:
    request = subject.request()
    unless(len(request.inputs) < 2, "the model has one input")
    del request.raw_input_contents[-1]
    subject.refused(request, "one raw_input_contents fewer than inputs")


@rule("Inference", "For each tensor, the size of raw content must match: less is an error.")
def short_raw_contents_are_an_error(subject: Subject) -> None:
    for cut in (1, len(subject.request().raw_input_contents[0])):
        request = subject.request()
        request.raw_input_contents[0] = request.raw_input_contents[0][:-cut]
        subject.refused(request, f"raw_input_contents with {cut} bytes too few")


@rule("Inference", "For each tensor, the size of raw content must match: more is an error.")
def long_raw_contents_are_an_error(subject: Subject) -> None:
    whole = subject.request().raw_input_contents[0]
    for surplus in (b"\0", whole):
        request = subject.request()
        request.raw_input_contents[0] = whole + surplus
        subject.refused(request, f"raw_input_contents with {len(surplus)} bytes too many")


@rule("Tensor Data", "The number of values must match the shape: fewer are an error.")
def short_typed_contents_are_an_error(subject: Subject) -> None:
    request = subject.typed_request()
    del _values(request)[-1:]
    subject.refused(request, "contents with one value too few")


@rule("Tensor Data", "The number of values must match the shape: more are an error.")
def long_typed_contents_are_an_error(subject: Subject) -> None:
    request = subject.typed_request()
    values = _values(request)
    values.extend(values[:1])
    subject.refused(request, "contents with one value too many")


@rule("Tensor Data", "Values are in the field that matches the data type, and in no other.")
def contents_in_another_field_are_an_error(subject: Subject) -> None:
    request = subject.typed_request()
    datatype, contents = request.inputs[0].datatype, request.inputs[0].contents
    n_values = len(_values(request))
    contents.Clear()
    if FIELDS[datatype] == "int64_contents":
        contents.fp64_contents.extend([0.0] * n_values)
    else:
        contents.int64_contents.extend([0] * n_values)
    subject.refused(request, f"an input of {datatype} with values in another type's field")


@rule("Inference", "Raw input contents are in the same order as the inputs, whichever that is.")
def inputs_may_come_in_any_order(subject: Subject) -> None:
    given = subject.tensors(1)
    unless(len(given) < 2, "the model has one input")
    subject.need_sense()
    answers = [subject.answer(subject.request(of=order)) for order in (given, given[::-1])]
    expect(same(*answers), "the answer is another when the inputs come in another order")


@rule("Tensor Data Types", "In raw BYTES each element is preceded by its length, in four bytes.")
def broken_raw_texts_are_an_error(subject: Subject) -> None:
    request = subject.request()
    texts = [index for index, tensor in enumerate(request.inputs) if tensor.datatype == TEXT]
    unless(not texts, "the model has no inputs of BYTES")
    request.raw_input_contents[texts[0]] = b"\xff\xff\xff\x7f" + b"x"
    subject.refused(request, "raw BYTES whose length is beyond their end")


def _values(request: Request) -> list[object]:
    """Return the first input's values, to change them."""
    field: list[object] = getattr(request.inputs[0].contents, FIELDS[request.inputs[0].datatype])
    return field
