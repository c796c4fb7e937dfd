"""RepositoryIndex: what the repository held when it was last read, and what became of it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import InvalidField, TooLarge
from server.models.passes import Key
from server.models.repository import Models
from server.models.served import Served
from server.texts import quoted

READY, LOADING, UNAVAILABLE = "READY", "LOADING", "UNAVAILABLE"

MAX_ENTRIES = 10_000
"""Versions that one answer lists, which takes some ten milliseconds."""


class Entry(NamedTuple):
    """One version; its number is 0 when that can't be told."""

    name: str
    version: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """Tells what is in the repository; the disk is not read for that."""

    served: Served

    def repository_index(
        self, request: protocol.RepositoryIndexRequest
    ) -> protocol.RepositoryIndexResponse:
        """List the versions; raises NotReady, InvalidField, TooLarge."""
        check_repository(request.repository_name)
        # Before the models, lest a version be in neither that is served from now on.
        progress = self.served.progress
        loading, awaited = progress.loading, progress.awaited
        found = _entries(self.served.require(), loading, awaited, only_ready=request.ready)
        entries = list(islice(found, MAX_ENTRIES + 1))
        if len(entries) > MAX_ENTRIES:
            raise TooLarge(
                "answer_bytes",
                f"there are more versions than the {MAX_ENTRIES} that an answer lists; ask for "
                "ready ones, or remove old ones from the repository",
            )
        described = protocol.RepositoryIndexResponse.ModelIndex
        return protocol.RepositoryIndexResponse(
            models=[
                described(name=name, version=str(version or ""), state=state, reason=reason)
                for name, version, state, reason in sorted(entries)
            ]
        )


def _entries(
    models: Models, loading: Key | None, awaited: Collection[Key], *, only_ready: bool
) -> Iterator[Entry]:
    ready = {(model.name, model.version) for model in models}
    for name, version in ready:
        reason = models.errors.get(name, {}).get(version, "")
        if (name, version) == loading:
            reason = "its file has changed and is being loaded again"
        yield Entry(name, version, READY, reason)
    if only_ready:
        return
    coming = {*awaited, *([loading] if loading else [])} - ready
    for name, version in coming:
        yield Entry(name, version, LOADING, "it is being loaded, or will be next")
    unloaded = {
        name: dict.fromkeys(versions or [0], "unloaded")
        for name, versions in models.unloaded.items()
    }
    for reasons in (models.errors, models.unserved, unloaded):
        for name, versions in reasons.items():
            for version, reason in versions.items():
                if (name, version) not in ready and (name, version) not in coming:
                    yield Entry(name, version, UNAVAILABLE, reason)


def check_repository(name: str) -> None:
    """Raise InvalidField when a request names a repository: the only one has no name."""
    if name:
        raise InvalidField(
            "repository",
            f"repository_name: there is no repository {quoted(name)}; there is only one, so leave "
            "it empty",
            "repository_name",
        )
