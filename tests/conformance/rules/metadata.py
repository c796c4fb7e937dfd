"""Metadata: of the server, and of a model."""

import re

from tests.conformance.rule import rule
from tests.conformance.subject import ANY_SIZE, UNKNOWN, Subject, expect, refusal
from tests.conformance.tensors import FORMATS

PLATFORM = re.compile(r"[^\s_]+_[^\s_]+")


@rule("Server Metadata", "The response has the server's name.")
def server_has_a_name(subject: Subject) -> None:
    expect(bool(subject.server.server_metadata().name), "the name is empty")


@rule("Server Metadata", "The response has the server's version.")
def server_has_a_version(subject: Subject) -> None:
    expect(bool(subject.server.server_metadata().version), "the version is empty")


@rule("Server Metadata", "The response lists the extensions that the server supports.")
def extensions_are_names(subject: Subject) -> None:
    names = list(subject.server.server_metadata().extensions)
    expect(all(names), f"an extension has no name: {names}")
    expect(len(set(names)) == len(names), f"an extension is listed twice: {names}")


@rule("Model Metadata", "The response has the name of the model.")
def name_is_the_models(subject: Subject) -> None:
    name = subject.metadata.name
    expect(name == subject.model, f"the name is {name!r} and not {subject.model!r}")


@rule("Model Metadata", "The versions of the model available on the server.")
def versions_are_told_apart(subject: Subject) -> None:
    versions = subject.versions
    expect(all(versions), f"a version is empty: {versions}")
    expect(len(set(versions)) == len(versions), f"a version is listed twice: {versions}")


@rule("Model Metadata", "A version may be given, and the metadata is that version's.")
def versions_have_metadata(subject: Subject) -> None:
    for version in subject.versions:
        found = subject.server.model_metadata(subject.model, version)
        expect(found.name == subject.model, f"version {version} has the name {found.name!r}")
        expect(
            version in found.versions,
            f"the metadata of version {version} lists {list(found.versions)}",
        )
        expect(bool(found.outputs), f"the metadata of version {version} lists no outputs")


@rule("Platforms", "Platform names use the format <project>_<format>.")
def platform_has_its_format(subject: Subject) -> None:
    platform = subject.metadata.platform
    expect(PLATFORM.fullmatch(platform) is not None, f"the platform is {platform!r}")


@rule("Model Metadata", "The response lists the model's inputs, each with its name.")
def inputs_have_names(subject: Subject) -> None:
    names = [tensor.name for tensor in subject.metadata.inputs]
    expect(bool(names), "there are no inputs")
    expect(all(names) and len(set(names)) == len(names), f"the inputs are {names}")


@rule("Model Metadata", "The response lists the model's outputs, each with its name.")
def outputs_have_names(subject: Subject) -> None:
    names = [tensor.name for tensor in subject.metadata.outputs]
    expect(bool(names), "there are no outputs")
    expect(all(names) and len(set(names)) == len(names), f"the outputs are {names}")


@rule("Tensor Data Types", "A tensor's data type is one of those in the table.")
def datatypes_are_known(subject: Subject) -> None:
    for tensor in (*subject.metadata.inputs, *subject.metadata.outputs):
        expect(tensor.datatype in FORMATS, f"{tensor.name} has the datatype {tensor.datatype!r}")


@rule("Model Metadata", "A variable-size dimension is represented by a -1 value.")
def shapes_are_sizes(subject: Subject) -> None:
    for tensor in (*subject.metadata.inputs, *subject.metadata.outputs):
        sizes = list(tensor.shape)
        expect(
            all(size == ANY_SIZE or size > 0 for size in sizes), f"{tensor.name} has shape {sizes}"
        )


@rule("Model Metadata", "Errors are indicated by the status: an unknown model is an error.")
def unknown_model_is_an_error(subject: Subject) -> None:
    refusal(lambda: subject.server.model_metadata(UNKNOWN), f"the metadata of model {UNKNOWN}")


@rule("Model Metadata", "Errors are indicated by the status: an unknown version is an error.")
def unknown_version_is_an_error(subject: Subject) -> None:
    version = subject.unknown_version
    refusal(
        lambda: subject.server.model_metadata(subject.model, version),
        f"the metadata of version {version}",
    )


@rule("Model Metadata (REST: error)", "An error has a descriptive message.")
def error_says_why(subject: Subject) -> None:
    message = refusal(lambda: subject.server.model_metadata(UNKNOWN), "an unknown model")
    expect(bool(message.strip()), "the error for an unknown model has no message")
