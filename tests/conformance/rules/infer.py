"""ModelInfer: what an answer has besides the values."""

from tests.conformance.rule import rule
from tests.conformance.subject import Subject, expect, unless


@rule("Inference", "ModelInfer performs inference using the specified model.")
def made_input_is_answered(subject: Subject) -> None:
    expect(bool(subject.server.infer(subject.request()).outputs), "there are no outputs")


@rule("Inference", "The response has the name of the model used for inference.")
def model_name_is_returned(subject: Subject) -> None:
    name = subject.server.infer(subject.request()).model_name
    expect(name == subject.model, f"model_name is {name!r} and not {subject.model!r}")


@rule("Inference", "If no version is given, the server chooses one, and says which.")
def empty_version_uses_one(subject: Subject) -> None:
    request = subject.request()
    request.model_version = ""
    version, versions = subject.server.infer(request).model_version, subject.versions
    expect(version in versions, f"model_version is {version!r}, and the metadata lists {versions}")


@rule("Inference", "The version of the model to use for inference may be given.")
def given_version_is_used(subject: Subject) -> None:
    for wanted in subject.versions:
        request = subject.request()
        request.model_version = wanted
        version = subject.server.infer(request).model_version
        expect(version == wanted, f"version {version!r} answers instead of {wanted!r}")


@rule("Inference", "An identifier of the request, if specified, is returned in the response.")
def id_is_returned(subject: Subject) -> None:
    request = subject.request()
    request.id = "request 42"
    found = subject.server.infer(request).id
    expect(found == request.id, f"the id is {found!r} and not {request.id!r}")


@rule("Inference", "An identifier is a string, so any text is returned unchanged.")
def any_id_is_returned(subject: Subject) -> None:
    request = subject.request()
    for text in ("\u017elu\u0165 \u5b57", "0", " ", "x" * 300):
        request.id = text
        found = subject.server.infer(request).id
        expect(found == text, f"the id is {found!r} and not {text!r}")


@rule("Inference", "The response has the request's id if one was specified, and none otherwise.")
def no_id_stays_none(subject: Subject) -> None:
    request = subject.request()
    request.id = "another"
    subject.server.infer(request)
    found = subject.server.infer(subject.request()).id
    expect(not found, f"the id is {found!r}, though the request has none")


@rule("Inference", "If outputs are not specified, all outputs of the model are returned.")
def all_outputs_are_returned(subject: Subject) -> None:
    found = [output.name for output in subject.server.infer(subject.request()).outputs]
    wanted = [tensor.name for tensor in subject.metadata.outputs]
    expect(sorted(found) == sorted(wanted), f"the outputs are {found}; metadata lists {wanted}")


@rule("Inference", "An output has the data type given by the model's metadata.")
def datatypes_are_those_of_metadata(subject: Subject) -> None:
    wanted = {tensor.name: tensor.datatype for tensor in subject.metadata.outputs}
    for output in subject.server.infer(subject.request()).outputs:
        expect(
            output.datatype == wanted.get(output.name),
            f"{output.name} is {output.datatype}; metadata says {wanted.get(output.name)}",
        )


@rule("Inference", "An output has the shape given by the metadata, where -1 is any size.")
def shapes_are_those_of_metadata(subject: Subject) -> None:
    wanted = {tensor.name: list(tensor.shape) for tensor in subject.metadata.outputs}
    for output in subject.server.infer(subject.request()).outputs:
        shape, described = list(output.shape), wanted.get(output.name, [])
        fits = len(shape) == len(described) and all(
            size == allowed or (allowed < 0 <= size)
            for size, allowed in zip(shape, described, strict=True)
        )
        expect(fits, f"{output.name} has shape {shape}; metadata says {described}")


@rule("Inference", "Raw output contents must be given for each output.")
def raw_contents_are_complete(subject: Subject) -> None:
    response = subject.server.infer(subject.request())
    unless(not response.raw_output_contents, "the server answers in the fields of the datatypes")
    n_raw, n_outputs = len(response.raw_output_contents), len(response.outputs)
    expect(n_raw == n_outputs, f"{n_raw} raw_output_contents for {n_outputs} outputs")


@rule("Inference", "If raw output contents are given, no output may have contents.")
def raw_and_contents_exclude_each_other(subject: Subject) -> None:
    for request in (subject.request(), subject.typed_request()):
        response = subject.server.infer(request)
        unless(not response.outputs, "there are no outputs")
        if response.raw_output_contents:
            both = [one.name for one in response.outputs if one.HasField("contents")]
            expect(not both, f"raw_output_contents are given, and contents of {both}")


@rule("Inference", "The size of contents must match the output's shape and data type.")
def contents_fit_shape_and_datatype(subject: Subject) -> None:
    subject.answer(subject.request())


@rule("Tensor Data", "Contents are in the field that matches the output's data type.")
def typed_contents_fit_too(subject: Subject) -> None:
    subject.answer(subject.typed_request())


@rule("Inference", "FP16 data must be represented as raw content.")
def half_precision_is_raw(subject: Subject) -> None:
    halves = [tensor.name for tensor in subject.metadata.outputs if tensor.datatype == "FP16"]
    unless(not halves, "the model has no outputs of FP16")
    response = subject.server.infer(subject.request())
    expect(bool(response.raw_output_contents), f"{halves} are not raw")
