"""Health: whether the server and its models are there."""

import grpc

from tests.conformance.rule import rule
from tests.conformance.subject import UNKNOWN, Subject, expect


def _is_ready(subject: Subject, name: str, version: str) -> bool:
    """Return whether a model is ready; an error says that it is not, too."""
    try:
        return subject.server.model_ready(name, version)
    except grpc.RpcError:
        return False


@rule("Server Live", "True if the inference server is live, false if not live.")
def live_is_true(subject: Subject) -> None:
    expect(subject.server.live(), "ServerLive answers live = false")


@rule("Server Ready", "True if the inference server is ready, false if not ready.")
def ready_is_true(subject: Subject) -> None:
    expect(subject.server.ready(), "ServerReady answers ready = false")


@rule("Model Ready", "If no version is given, the server chooses one: true if it is ready.")
def model_is_ready(subject: Subject) -> None:
    expect(subject.server.model_ready(subject.model), "ModelReady answers ready = false")


@rule("Model Ready", "The version to check for readiness may be given.")
def versions_are_ready(subject: Subject) -> None:
    for version in subject.versions:
        expect(
            subject.server.model_ready(subject.model, version),
            f"ModelReady answers ready = false for version {version}, which the metadata lists",
        )


@rule("Model Ready", "False, or an error, if the model is not ready, such as an unknown one.")
def unknown_model_is_not_ready(subject: Subject) -> None:
    expect(not _is_ready(subject, UNKNOWN, ""), f"the model {UNKNOWN} is ready")


@rule("Model Ready", "False, or an error, if the version is not ready, such as an unknown one.")
def unknown_version_is_not_ready(subject: Subject) -> None:
    version = subject.unknown_version
    expect(not _is_ready(subject, subject.model, version), f"version {version} is ready")


@rule("Health", "A model that is ready for inferencing answers an inference.")
def ready_model_answers(subject: Subject) -> None:
    if subject.server.model_ready(subject.model, subject.version):
        subject.server.infer(subject.request())
