"""The repository's folder over time: whether it is still the same, and what has gone from it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from server.errors import StartupError
from server.models.disk.listing import Listing, Place, list_models
from server.texts import shown

RETIRE_SECONDS = 2.0
"""How long a version must be gone, and its model unchanged, before it is unloaded automatically:
while somebody replaces a folder by hand, it is gone for a moment.
"""

Clock = Callable[[], float]


class Folder:
    """A repository's folder, which is listed again and again."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        # Where models have been found before.
        self._place: Place = ()
        # Of models with versions that are gone: since when they have those that are there.
        self._since: dict[str, tuple[float, Sequence[int]]] = {}

    def list(self) -> Listing:
        """List it; raises StartupError when it is gone, or can't be read.

        An empty folder in its place, as where a volume is not mounted, is not the repository.
        """
        listing = list_models(self.path)
        if listing.versions:
            self._place = listing.place
        elif self._place not in ((), listing.place):
            raise StartupError(
                f"the repository {shown(self.path)} is a different folder from before and holds "
                "no model, as if a volume were not mounted; put the models there, or, to unload "
                "them, remove them from the original folder"
            )
        return listing

    def absent(self, loaded: Iterable[tuple[str, int]], listing: Listing) -> set[tuple[str, int]]:
        """Return the loaded versions, by name and number, that are gone and may come back: their
        model has been as it is for a short time only.
        """
        now = self._clock()
        since: dict[str, tuple[float, Sequence[int]]] = {}
        gone = set()
        for name, version in loaded:
            versions = listing.versions.get(name, ())
            if version not in versions:
                began, before = self._since.get(name, (now, versions))
                since[name] = (began if before == versions else now), versions
                if now - since[name][0] < RETIRE_SECONDS:
                    gone.add((name, version))
        self._since = since
        return gone
