"""Near misses: entries that are almost versions, and how to make them versions."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from modelfile.layout import FILE, MAX_VERSION
from server.texts import fault_of, shown

SUFFIX = ".onnx"

MAX_ENTRIES = 100
"""Entries of a folder that are looked at."""

NUMBER = re.compile("[1-9][0-9]*")


def beside_models(path: Path) -> Iterator[str]:
    """Say what is wrong with something in the place of a model that is not a folder."""
    if path.is_symlink() and not path.exists():
        yield f"{shown(path)} is a broken link; remove it, or create its target"
    elif path.suffix.lower() == SUFFIX:
        name = path.stem if path.name.lower() != FILE else "NAME"
        yield _move(path, path.parent / name / "1" / FILE)


def in_model(
    folder: Path, names: Sequence[str], versions: Collection[int], known: Collection[str]
) -> Iterator[str]:
    """Say what is wrong in a model's folder with entries that are neither versions nor known."""
    others = (name for name in names if not (name.startswith(".") or fault_of(name)))
    told = {*map(str, versions), *known}
    for name in islice((name for name in others if name not in told), MAX_ENTRIES):
        path = folder / name
        if path.is_dir():
            yield from _in_folder(path, versions)
        elif path.is_symlink() and not path.exists():
            yield f"{shown(path)} is a broken link; remove it"
        elif path.suffix.lower() == SUFFIX or (NUMBER.fullmatch(name) and path.is_file()):
            number = name if NUMBER.fullmatch(name) else _free(name, versions)
            yield _move(path, folder / str(number) / FILE) + _perhaps_the_parent(folder)


def _in_folder(folder: Path, versions: Collection[int]) -> Iterator[str]:
    """Say what is wrong with a folder where versions are."""
    names = _names(folder)
    is_version = bool(NUMBER.fullmatch(folder.name))
    number = folder.name if is_version else str(_free(folder.name, versions))
    wanted = folder.parent / number / FILE
    if FILE in names:
        yield (
            f"{shown(folder)} is not a version, since its name is not a number such as 1, 2 or 3; "
            f"rename it to {shown(wanted.parent)}"
        )
        return
    paths = (folder / name for name in names if name.lower().endswith(SUFFIX))
    if path := next((path for path in paths if path.is_file()), None):
        yield _move(path, wanted)
        return
    deeper = [folder / name for name in names if (folder / name / FILE).is_file()]
    if is_version and deeper:
        yield _move(deeper[0] / FILE, wanted)
    elif any(NUMBER.fullmatch(path.name) for path in deeper):
        yield (
            f"{shown(folder)} is nested too deeply, since models are folders of the repository "
            f"itself; move it to {shown(folder.parent.parent / folder.name)}"
        )
    elif is_version and (files := [name for name in names if (folder / name).is_file()]):
        yield f"{shown(folder)} holds {shown(files[0])} and no {FILE}; export the model there"


def _move(path: Path, wanted: Path) -> str:
    return f"{shown(path)} is not where versions belong; move it to {shown(wanted)}"


def _perhaps_the_parent(folder: Path) -> str:
    """Return the other remedy, for a model's folder given as the repository."""
    if not NUMBER.fullmatch(folder.name):
        return ""
    return f", or, if {shown(folder)} is a version, give --repository {shown(folder.parent.parent)}"


def _free(name: str, versions: Collection[int]) -> int:
    """Return the version that a name such as v2 or 02 means, or else the next that is free."""
    for text in re.findall("[0-9]{1,18}", name):
        if int(text) > 0 and int(text) not in versions:
            return int(text)
    return min(max(versions, default=0) + 1, MAX_VERSION)


def _names(folder: Path) -> list[str]:
    """Return the names of a folder's entries that are not hidden; none if it can't be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES)]
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith("."))
