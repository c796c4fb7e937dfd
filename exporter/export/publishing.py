"""Puts model versions where others read them: whole or not at all."""

import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import ExporterError
from exporter.files import sync_folder, write_synced
from modelfile.layout import FILE, MAX_VERSION

if TYPE_CHECKING:
    # Only for the annotation: importing ONNX takes long.
    import onnx

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

RETIRED = ".retired"
"""The folder of a repository for models that were taken out; servers pass over hidden names."""


class RepositoryError(ExporterError):
    """A model can't be published or found in a repository; the message says what to do."""


def publish(
    model: "onnx.ModelProto", repository: Path, name: str, version: int | None = None
) -> Path:
    """Add a version to a repository and return the path of its model.onnx.

    The version's folder is built under a hidden name and renamed when it is whole, so that a server
    which reads the repository at any moment never sees half a version. Without `version` it takes
    the one after the highest; of several exporters at once each then gets a version of its own.

    Raises RepositoryError when the name or the version can't be used, or the version exists
    already; OSError when the folder can't be written.
    """
    check_name(name)
    if version is not None and version < 1:
        raise RepositoryError(f"version: {version} is not a version; versions are 1, 2, 3, ...")
    content = model.SerializeToString(deterministic=True)
    folder = repository / name
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        temporary.mkdir()
        write_synced(temporary / FILE, content)
        sync_folder(temporary)
        published = _rename_to_version(temporary, folder, version)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder)
    sync_folder(repository)
    return published / FILE


def check_name(name: str) -> None:
    """Raise RepositoryError unless a model can have this name."""
    if not MODEL_NAME.fullmatch(name):
        raise RepositoryError(
            f"name: {name!r} is not a model name; use letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )


def name_of(path: Path) -> str:
    """Return the name for a model from the file at `path`, which may be empty."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-").rstrip("-")


def find_model(path: Path) -> Path:
    """Return `path`, or the newest model.onnx in it when it is the folder of a model or a version.

    Raises RepositoryError when the folder holds neither.
    """
    if not path.is_dir():
        return path
    if (path / FILE).is_file():
        return path / FILE
    versions = find_versions(path)
    if not versions:
        raise RepositoryError(f"{path} holds no model: neither {FILE} nor VERSION/{FILE}")
    return path / str(versions[-1]) / FILE


def find_versions(folder: Path) -> list[int]:
    """Return the versions that a model's folder holds whole, ascending; none if there is none."""
    return sorted(v for v in _numbers(folder) if (folder / str(v) / FILE).is_file())


def _rename_to_version(temporary: Path, folder: Path, version: int | None) -> Path:
    """Rename the finished folder to the version asked for, or to the next that is free."""
    while True:
        number = _next_version(folder) if version is None else version
        target, retired = folder / str(number), retired_folder(folder) / str(number)
        # A rename would replace an empty folder of that name without a word.
        if not target.exists() and not retired.exists():
            try:
                return temporary.rename(target)
            except OSError:
                # Another exporter may have taken the version since; anything else is an error.
                if not target.exists():
                    raise
        if version is not None:
            state = "was retired" if retired.exists() else "exists already"
            raise RepositoryError(
                f"version: {target} {state}, and a version never changes; leave --version "
                f"out to publish version {_next_version(folder)}"
            )


def retired_folder(folder: Path) -> Path:
    """Return where the retired versions of a model are that has its others in `folder`."""
    return folder.parent / RETIRED / folder.name


def _numbers(folder: Path) -> list[int]:
    """Return the numbers that entries of the folder have for names; none if there is no folder."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    numbers = [int(name) for name in names if re.fullmatch(r"[1-9][0-9]{0,18}", name)]
    return [number for number in numbers if number <= MAX_VERSION]


def _next_version(folder: Path) -> int:
    """Return the number after the highest, whether that is a whole version, retired or neither.

    Raises RepositoryError when there is none.
    """
    taken = _numbers(folder) + _numbers(retired_folder(folder))
    following = max(taken, default=0) + 1
    if following > MAX_VERSION:
        raise RepositoryError(
            f"version: {folder} holds the largest possible version; give --version"
        )
    return following
