"""RepositoryModelLoad and RepositoryModelUnload: change which models all workers serve."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import InvalidField, NotLoaded, NotReady, Overloaded, WrongState
from server.models.changes import LOAD, UNLOAD, Outcome, unpack
from server.models.served import Served
from server.rpc.inference import SERVICE
from server.rpc.inference.asking import AskAll, ask_each, workers
from server.rpc.inference.index import check_repository
from server.texts import listed, quoted

PATHS = tuple(f"/{SERVICE}/RepositoryModel{name}" for name in ("Load", "Unload"))
"""The methods, for which callers need an admin token."""

CHANGE_SECONDS = 60.0
"""How long the workers may take, as long as the checks of one version; they go on afterwards."""

MAX_UNLOADED = 1000
"""Models that may be unloaded: their names are handed to each new worker."""

UNLOAD_DEPENDENTS = "unload_dependents"

Parameters = Mapping[str, protocol.ModelRepositoryParameter]


@dataclass(frozen=True, slots=True)
class Loading:
    """Loads and unloads models; refuses to where the repository is watched."""

    served: Served
    ask_all: AskAll
    is_watched: bool

    def load(
        self, request: protocol.RepositoryModelLoadRequest
    ) -> protocol.RepositoryModelLoadResponse:
        """Load a model, or what has changed of it, on all workers.

        Raises NotLoaded when it is not in the repository, WrongState when its files can't be
        served, NotReady when some worker does not answer, and InvalidField.
        """
        self._check(request.repository_name, request.model_name)
        for name in sorted(request.parameters):
            raise _not_known(
                name, "load without parameters: the repository's files define the model"
            )
        self._change(LOAD, request.model_name)
        return protocol.RepositoryModelLoadResponse()

    def unload(
        self, request: protocol.RepositoryModelUnloadRequest
    ) -> protocol.RepositoryModelUnloadResponse:
        """Unload a model on all workers; calls in progress keep it until they end.

        Raises NotLoaded when it is not known, NotReady when some worker does not answer, and
        InvalidField.
        """
        self._check(request.repository_name, request.model_name)
        _check_dependents(request.parameters)
        models, name = self.served.require(), request.model_name
        known = models.by_name.keys() | models.errors.keys() | models.unloaded.keys()
        if name not in known:
            names = listed(sorted(known), name)
            raise NotLoaded(
                "model_not_found",
                f"model_name: there is no model {quoted(name)} to unload; name one of: {names}",
                {"models": names},
            )
        if name not in models.unloaded and len(models.unloaded) >= MAX_UNLOADED:
            raise Overloaded(
                "too_many_unloaded",
                f"model_name: {MAX_UNLOADED} models are unloaded, the most that the server "
                "remembers; remove the folders of those no longer needed, and restart it",
            )
        self._change(UNLOAD, name)
        return protocol.RepositoryModelUnloadResponse()

    def _check(self, repository: str, model: str) -> None:
        if self.is_watched:
            raise WrongState(
                "watched",
                "the server watches its repository, and loads and unloads models as their files "
                "appear and go; change the files, or start it with --watch off",
            )
        check_repository(repository)
        if not model:
            raise InvalidField("no_model_name", "model_name: name the model", "model_name")

    def _change(self, kind: str, name: str) -> None:
        remedy = "it continues, and RepositoryIndex shows the outcome"
        answers = ask_each(self.ask_all, kind, name, CHANGE_SECONDS, remedy)
        failed = {number: told for number, packed in answers if (told := unpack(packed)).reason}
        if failed:
            raise _error(kind, name, failed, len(answers) - len(failed))


def _not_known(name: str, remedy: str) -> InvalidField:
    return InvalidField(
        "parameter", f"parameters: {quoted(name)} is not known; {remedy}", "parameters"
    )


def _check_dependents(parameters: Parameters) -> None:
    for name, value in sorted(parameters.items()):
        if name != UNLOAD_DEPENDENTS:
            raise _not_known(name, f"{UNLOAD_DEPENDENTS} is the only one")
        if value.WhichOneof("parameter_choice") != "bool_param":
            raise InvalidField(
                "parameter",
                f"parameters: {name} is not true or false; give true, false or leave it out",
                "parameters",
            )


def _error(
    kind: str, name: str, failed: Mapping[int, Outcome], succeeded: int
) -> NotLoaded | NotReady | WrongState:
    """Return why some workers have not made a change, and which."""
    reasons = {outcome.reason for outcome in failed.values()}
    by_message: dict[str, list[str]] = defaultdict(list)
    for number, outcome in sorted(failed.items()):
        by_message[outcome.message].append(str(number))
    if reasons == {"model_not_found"} and not succeeded:
        outcome = next(iter(failed.values()))
        return NotLoaded("model_not_found", outcome.message, {"models": outcome.known})
    parts = [f"{workers(numbers)}: {message}" for message, numbers in by_message.items()]
    others = f"; the other {succeeded} succeeded" if succeeded else ""
    message = f"the {kind} of {quoted(name)} has failed on {'; on '.join(parts)}{others}"
    if "not_ready" in reasons:
        return NotReady("not_ready", f"{message}; ask again shortly")
    return WrongState(
        "load_failed",
        f"{message}; what was loaded before stays in use; correct the files and load it again",
    )
