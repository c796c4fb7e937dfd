"""The extension model_configuration."""

from collections.abc import Iterable

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import UNKNOWN, Subject, expect, refusal, unless

EXTENSION = SECTION = "model_configuration"
MAX_BYTES = 64 * 1024 * 1024
"""Of a batch that is made to be the largest, or too large."""

Described = protocol.ModelMetadataResponse.TensorMetadata
Configured = protocol.ModelInput | protocol.ModelOutput


def _ask(subject: Subject, name: str, version: str = "") -> protocol.ModelConfig:
    request = protocol.ModelConfigRequest(name=name, version=version)
    return subject.server.call("ModelConfig", request, protocol.ModelConfigResponse).config


def _types(tensors: Iterable[Described]) -> dict[str, str]:
    """Return each tensor's datatype as the configuration names it."""
    names = {"BYTES": "STRING"}
    return {one.name: f"TYPE_{names.get(one.datatype, one.datatype)}" for one in tensors}


def _configured(tensors: Iterable[Configured]) -> dict[str, str]:
    return {one.name: protocol.DataType.Name(one.data_type) for one in tensors}


@rule(SECTION, "The configuration has the model's name.", EXTENSION)
def name_is_the_models(subject: Subject) -> None:
    name = _ask(subject, subject.model).name
    expect(name == subject.model, f"the name is {name!r}")


@rule(SECTION, "A version may be given; otherwise the server selects one.", EXTENSION)
def versions_have_configurations(subject: Subject) -> None:
    for version in subject.versions:
        name = _ask(subject, subject.model, version).name
        expect(name == subject.model, f"version {version} has the name {name!r}")


@rule(SECTION, "The configuration has the inputs of the metadata, with their types.", EXTENSION)
def inputs_are_those_of_metadata(subject: Subject) -> None:
    found = _configured(_ask(subject, subject.model, subject.version).input)
    wanted = _types(subject.metadata.inputs)
    expect(found == wanted, f"the inputs are {found}, and metadata says {wanted}")


@rule(SECTION, "The configuration has the outputs of the metadata, with their types.", EXTENSION)
def outputs_are_those_of_metadata(subject: Subject) -> None:
    found = _configured(_ask(subject, subject.model, subject.version).output)
    wanted = _types(subject.metadata.outputs)
    expect(found == wanted, f"the outputs are {found}, and metadata says {wanted}")


@rule(SECTION, "Dimensions are the metadata's, without that of the batch.", EXTENSION)
def dimensions_are_those_of_metadata(subject: Subject) -> None:
    config = _ask(subject, subject.model, subject.version)
    dims = {one.name: list(one.dims) for one in config.input}
    dims |= {one.name: list(one.dims) for one in config.output}
    for tensor in (*subject.metadata.inputs, *subject.metadata.outputs):
        shape = list(tensor.shape)[1 if config.max_batch_size else 0 :]
        found = dims.get(tensor.name, [])
        # A single value may be a dimension of one, which configurations can't leave out.
        alike = [[size for size in sizes if size != 1] for sizes in (found, shape)]
        expect(
            tensor.name in dims and alike[0] == alike[1],
            f"{tensor.name} has dims {found}, and the metadata's shape is {list(tensor.shape)}",
        )


@rule(SECTION, "max_batch_size is the number of rows that a request may have.", EXTENSION)
def largest_batch_is_answered(subject: Subject) -> None:
    n_rows = _largest(subject)
    for name, values in subject.answer(subject.request(*[0] * n_rows)).items():
        expect(len(values) == n_rows, f"{name} has {len(values)} rows of {n_rows}")


@rule(SECTION, "A request may have max_batch_size rows and no more.", EXTENSION)
def larger_batch_is_an_error(subject: Subject) -> None:
    n_rows = _largest(subject) + 1
    subject.refused(subject.request(*[0] * n_rows), f"a batch of {n_rows} rows")


@rule(SECTION, "Errors are indicated by the status: an unknown model is an error.", EXTENSION)
def unknown_model_is_an_error(subject: Subject) -> None:
    refusal(lambda: _ask(subject, UNKNOWN), f"the configuration of model {UNKNOWN}")


@rule(SECTION, "Errors are indicated by the status: an unknown version is an error.", EXTENSION)
def unknown_version_is_an_error(subject: Subject) -> None:
    version = subject.unknown_version
    refusal(
        lambda: _ask(subject, subject.model, version), f"the configuration of version {version}"
    )


def _largest(subject: Subject) -> int:
    """Return the batch size that is allowed; raises NotApplicable when it is too large to try."""
    n_rows = _ask(subject, subject.model, subject.version).max_batch_size
    unless(not subject.is_batched or not n_rows, "the model takes no batches")
    row = sum(len(content) for content in subject.request().raw_input_contents)
    unless((n_rows + 1) * row > MAX_BYTES, f"{n_rows} rows are more than {MAX_BYTES} bytes")
    return n_rows
