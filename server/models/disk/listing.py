"""Models on disk, as NAME/VERSION/model.onnx."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from modelfile.hints import command
from modelfile.layout import FILE, MAX_VERSION
from server.errors import StartupError
from server.models.disk import near_misses
from server.models.disk.near_misses import NUMBER
from server.texts import fault_of, shown

MAX_MISSES = 20
"""How many near misses are reported at a time."""

LOST_AND_FOUND = "lost+found"
"""What file systems have in their root, accessible to its owner only."""

Place = tuple[int, ...]
"""Distinguishes a folder from another in its place, as when a volume is not mounted."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The content of a repository: each model's versions, ascending, and what can't be one.

    `refused` says by model why some of its versions can't be served; `passed_over` says the same of
    what has no name that can be sent to callers, or is almost a version; `unreadable` says by name
    why it is not known what a folder holds. `place` is the folder's own on its disk.
    """

    versions: Mapping[str, Sequence[int]]
    refused: Mapping[str, str]
    passed_over: Sequence[str] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    place: Place = ()

    def only(self, keeps: Callable[[str], bool]) -> "Listing":
        """Return the part with models whose names are to be kept."""
        return replace(
            self,
            versions={name: its for name, its in self.versions.items() if keeps(name)},
            refused={name: its for name, its in self.refused.items() if keeps(name)},
        )


def list_models(repository: Path) -> Listing:
    """List a repository; anything in it but models and versions is ignored.

    Raises StartupError when the folder is missing or can't be read.
    """
    if not repository.is_dir():
        raise StartupError(
            f"the repository {shown(repository)} is not a folder; give --repository, or run "
            f"`{command('exporter export')}` first"
        )
    try:
        names = sorted(path.name for path in repository.iterdir())
        status = repository.stat()
    except OSError as error:
        raise StartupError(
            f"the repository {shown(repository)} can't be read: {error.strerror}"
        ) from error
    found = _Found()
    for name in names:
        if not name.startswith(".") and name != LOST_AND_FOUND:
            _look(repository / name, found)
    return Listing(
        found.versions,
        found.refused,
        [*found.passed_over, *found.unreadable.values(), *found.misses[:MAX_MISSES]],
        found.unreadable,
        (status.st_dev, status.st_ino),
    )


@dataclass(slots=True)
class _Found:
    """What a listing has found so far."""

    versions: dict[str, list[int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)


def _look(folder: Path, found: _Found) -> None:
    """Note an entry in the place of a model."""
    name = folder.name
    try:
        entries = sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        found.misses += near_misses.beside_models(folder)
        return
    except OSError as error:
        found.unreadable[name] = f"{shown(folder)} can't be read: {error.strerror}"
        return
    numbers, others = _find_versions(folder, entries)
    if (numbers or others) and (fault := fault_of(name)):
        message = f"the model's folder {shown(folder)} {fault}; rename it to be served"
        found.passed_over.append(message)
        return
    too_large = [other for other in others if other.isdigit()]
    if too_large:
        found.refused[name] = (
            f"{shown(folder)} has the version {too_large[0]}, larger than the maximum, "
            f"{MAX_VERSION}; rename the folder"
        )
    found.passed_over += [
        f"the version's folder {shown(folder / other)} {fault_of(other)}; rename it to be served"
        for other in others
        if other not in too_large
    ]
    if numbers or too_large:
        found.versions[name] = sorted(numbers)
    if len(found.misses) < MAX_MISSES:
        misses = near_misses.in_model(folder, entries, numbers, others)
        found.misses += islice(misses, MAX_MISSES)


def _find_versions(folder: Path, names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the versions in a model's folder, and the names of folders that can't be versions."""
    numbers: list[int] = []
    others: list[str] = []
    for name in names:
        is_number = bool(NUMBER.fullmatch(name))
        if (is_number or fault_of(name)) and _is_there(folder / name / FILE):
            if is_number and int(name) <= MAX_VERSION:
                numbers.append(int(name))
            else:
                others.append(name)
    return numbers, others


def _is_there(file: Path) -> bool:
    """Whether the file exists, even if it can't be read."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True
