"""Takes versions out of a repository, where servers no longer find them, and puts them back."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.export.publishing import (
    MODEL_NAME,
    RETIRED,
    RepositoryError,
    find_versions,
    retired_folder,
)
from exporter.files import sync_folder
from modelfile.layout import FILE


@dataclass(frozen=True, slots=True)
class Entry:
    """A version in a repository; `path` is its file."""

    name: str
    version: int
    path: Path
    is_retired: bool
    is_newest: bool


def list_entries(repository: Path) -> Iterator[Entry]:
    """Yield every version, the retired ones after the others of their model.

    Raises RepositoryError when there is no such repository.
    """
    for name in sorted({*_names(repository), *_names(repository / RETIRED, optional=True)}):
        published = find_versions(repository / name)
        for version in published:
            path = repository / name / str(version) / FILE
            yield Entry(name, version, path, False, version == published[-1])
        retired = retired_folder(repository / name)
        for version in find_versions(retired):
            yield Entry(name, version, retired / str(version) / FILE, True, False)


def retire(
    repository: Path, name: str, version: int | None = None, *, last: bool = False
) -> Sequence[int]:
    """Move a version, or without `version` all of a model, out of the servers' sight; return which.

    Each version disappears in one step, the newest last, so that no older one takes its place for
    a moment. Numbers of retired versions are not given again.

    Raises RepositoryError when there is no such model or version, when it is the model's only
    version and so the model that is to be retired, and when no model would be left, unless `last`.
    """
    published = _published(repository, name)
    if version is not None:
        if version not in published:
            raise RepositoryError(_missing(name, version, published, "published"))
        if published == [version]:
            raise RepositoryError(
                f"version: {version} is the only one of {name}; leave --version out to retire the "
                "model"
            )
    elif not last and list(_served(repository)) == [name]:
        raise RepositoryError(
            f"name: {name} is the only model of {repository}, and without one servers answer every "
            "call with NOT_FOUND; publish another first, or add --last"
        )
    versions = published if version is None else [version]
    _move(repository, repository / RETIRED, name, versions)
    return versions


def restore(repository: Path, name: str, version: int | None = None) -> int:
    """Put back a retired version, without `version` the newest of them, and return which.

    Raises RepositoryError when no such version is retired, or the repository has it again.
    """
    names = _names(repository / RETIRED, optional=True)
    retired = find_versions(retired_folder(repository / name)) if name in names else []
    if not retired:
        known = f"retired: {', '.join(names)}" if names else "nothing is retired"
        raise RepositoryError(f"name: {repository} has no retired version of {name!r}; {known}")
    if version is not None and version not in retired:
        raise RepositoryError(_missing(name, version, retired, "retired"))
    restored = retired[-1] if version is None else version
    _move(repository / RETIRED, repository, name, [restored])
    return restored


def _published(repository: Path, name: str) -> list[int]:
    """Return the versions of a model; raises RepositoryError naming the models that have some."""
    served = list(_served(repository))
    if name in served:
        return find_versions(repository / name)
    known = f"it has {', '.join(served)}" if served else "it has none"
    was = " (it is retired)" if find_versions(retired_folder(repository / name)) else ""
    raise RepositoryError(f"name: {repository} has no model {name!r}{was}; {known}")


def _missing(name: str, version: int, versions: Sequence[int], state: str) -> str:
    numbers = ", ".join(map(str, versions))
    return f"version: {version} of {name} is not {state}; {state}: {numbers}"


def _served(repository: Path) -> Iterator[str]:
    return (name for name in _names(repository) if find_versions(repository / name))


def _names(folder: Path, *, optional: bool = False) -> list[str]:
    if optional and not folder.exists():
        return []
    if not folder.is_dir():
        raise RepositoryError(f"repository: {folder} is not a folder; give --repository")
    # Others, such as lost+found, may not be readable.
    return sorted(path.name for path in folder.iterdir() if MODEL_NAME.fullmatch(path.name))


def _move(source: Path, target: Path, name: str, versions: Sequence[int]) -> None:
    """Move versions of a model between two folders of models, in this order."""
    (target / name).mkdir(parents=True, exist_ok=True)
    for version in versions:
        moved = target / name / str(version)
        # A rename would replace an empty folder of that name without a word.
        if moved.exists():
            raise RepositoryError(f"version: {moved} exists already; remove one of the two")
        (source / name / str(version)).rename(moved)
    sync_folder(target / name)
    sync_folder(source / name)
    # Unless it holds anything else, or a new version by now.
    with contextlib.suppress(OSError):
        (source / name).rmdir()
        sync_folder(source)
