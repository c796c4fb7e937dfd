"""The extension model_repository."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import grpc

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import (
    UNKNOWN,
    Broken,
    NotApplicable,
    Subject,
    expect,
    same,
    unless,
)
from tests.conformance.waiting import look_until

EXTENSION = SECTION = "model_repository"
PATIENCE_SECONDS = 10.0
STATES = ("READY", "LOADING", "UNLOADING", "UNAVAILABLE", "UNKNOWN", "")

NOT_ALLOWED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""What servers say where callers don't load models, or these callers don't."""

Entry = protocol.RepositoryIndexResponse.ModelIndex


def _index(subject: Subject, ready: bool = False) -> list[Entry]:
    request = protocol.RepositoryIndexRequest(ready=ready)
    answer = subject.server.call("RepositoryIndex", request, protocol.RepositoryIndexResponse)
    return list(answer.models)


def _allowed(change: Callable[[], None]) -> None:
    """Load or unload; raises NotApplicable where callers may not."""
    try:
        change()
    except grpc.RpcError as error:
        if error.code() in NOT_ALLOWED:
            words = f"loading is refused with {error.code().name}: {error.details()}"
            raise NotApplicable(words) from error
        raise


def _ready_versions(subject: Subject) -> set[str]:
    return {
        entry.version
        for entry in _index(subject)
        if (entry.name, entry.state) == (subject.model, "READY")
    }


@rule(SECTION, "The index has every model of the repository, with its state.", EXTENSION)
def index_lists_the_model(subject: Subject) -> None:
    found = [entry.name for entry in _index(subject)]
    expect(subject.model in found, f"the index has {sorted(set(found))}")


@rule(SECTION, "An entry has the version and the state of a model.", EXTENSION)
def ready_versions_are_those_of_metadata(subject: Subject) -> None:
    found, wanted = _ready_versions(subject), set(subject.versions)
    expect(found == wanted, f"READY are {sorted(found)}, and metadata lists {sorted(wanted)}")


@rule(SECTION, "The state is READY, UNAVAILABLE or one in between.", EXTENSION)
def states_are_known(subject: Subject) -> None:
    for entry in _index(subject):
        expect(bool(entry.name), "an entry has no name")
        expect(entry.state in STATES, f"{entry.name} is in the state {entry.state!r}")


@rule(SECTION, "If ready is true, only models ready for inferencing are returned.", EXTENSION)
def ready_models_alone_are_listed(subject: Subject) -> None:
    found = _index(subject, ready=True)
    others = [entry.name for entry in found if entry.state not in ("READY", "")]
    expect(not others, f"not ready, and listed: {others}")
    names = {entry.name for entry in found}
    expect(subject.model in names, f"the model is ready, and listed are {sorted(names)}")


@rule(SECTION, "Errors are indicated by the status: an unknown model can't be loaded.", EXTENSION)
def loading_an_unknown_model_is_an_error(subject: Subject) -> None:
    try:
        subject.server.load(UNKNOWN)
    except grpc.RpcError as error:
        unless(error.code() in NOT_ALLOWED, f"loading is refused with {error.code().name}")
        return
    raise Broken(f"loading the model {UNKNOWN} was answered with OK")


@rule(SECTION, "A model that is already loaded is loaded again.", EXTENSION, changes_models=True)
def loaded_model_may_be_loaded_again(subject: Subject) -> None:
    wanted = subject.answer(subject.request())
    _allowed(lambda: subject.server.load(subject.model))
    expect(subject.server.model_ready(subject.model), "the model is not ready after loading")
    subject.need_sense()
    expect(same(subject.answer(subject.request()), wanted), "it answers differently after loading")


@rule(SECTION, "A model that is unloaded does not answer.", EXTENSION, changes_models=True)
def unloaded_model_does_not_answer(subject: Subject) -> None:
    request = subject.request()
    with _unloaded(subject):
        ready = False
        with suppress(grpc.RpcError):
            ready = subject.server.model_ready(subject.model)
        expect(not ready, "the model is ready after unloading")
        subject.refused(request, "a request to a model that is not loaded")


@rule(SECTION, "The index has models that are not loaded, too.", EXTENSION, changes_models=True)
def unloaded_model_is_not_ready_in_the_index(subject: Subject) -> None:
    with _unloaded(subject):
        states = _states(subject)
        expect(bool(states), "the index has lost the model after unloading")
        expect("READY" not in states, f"after unloading the model is {sorted(states)}")


@rule(SECTION, "A model that was unloaded can be loaded.", EXTENSION, changes_models=True)
def unloaded_model_may_be_loaded(subject: Subject) -> None:
    wanted, versions = subject.answer(subject.request()), set(subject.versions)
    with _unloaded(subject):
        subject.server.load(subject.model)
        expect(subject.server.model_ready(subject.model), "the model is not ready after loading")
        found = _ready_versions(subject)
        expect(found == versions, f"READY after loading: {sorted(found)}, before {versions}")
        subject.need_sense()
        found_answer = subject.answer(subject.request())
        expect(same(found_answer, wanted), "it answers differently after loading")


@contextmanager
def _unloaded(subject: Subject) -> Iterator[None]:
    """Unload the model for this block; raises NotApplicable where callers may not."""
    _allowed(lambda: subject.server.unload(subject.model))
    # Unloading may go on after its answer, until calls in progress have ended.
    look_until(
        lambda: _states(subject),
        lambda states: not states & {"READY", "UNLOADING"},
        PATIENCE_SECONDS,
    )
    try:
        yield
    finally:
        subject.server.load(subject.model)


def _states(subject: Subject) -> set[str]:
    """Return the states of the model's versions."""
    return {entry.state for entry in _index(subject) if entry.name == subject.model}
