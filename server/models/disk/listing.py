"""Models on disk, as NAME/VERSION/model.onnx."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelfile.layout import FILE, MAX_VERSION
from server.errors import StartupError
from server.texts import fault_of, shown

_NUMBER = re.compile("[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Listing:
    """The content of a repository: each model's versions, ascending, and folders that can't be one.

    `refused` says by model why some of its versions can't be served; `passed_over` says the same of
    folders whose names can't be sent to callers.
    """

    versions: Mapping[str, Sequence[int]]
    refused: Mapping[str, str]
    passed_over: Sequence[str] = ()

    def only(self, keeps: Callable[[str], bool]) -> "Listing":
        """Return the part with models whose names are to be kept."""
        return Listing(
            {name: versions for name, versions in self.versions.items() if keeps(name)},
            {name: message for name, message in self.refused.items() if keeps(name)},
            self.passed_over,
        )


def list_models(repository: Path) -> Listing:
    """List a repository; anything in it but models and versions is ignored.

    Raises StartupError when the folder is missing or can't be read.
    """
    if not repository.is_dir():
        raise StartupError(
            f"the repository {shown(repository)} is not a folder; give --repository, or run "
            "`python -m exporter export` first"
        )
    versions: dict[str, list[int]] = {}
    refused: dict[str, str] = {}
    passed_over: list[str] = []
    try:
        names = sorted(path.name for path in repository.iterdir())
    except OSError as error:
        raise StartupError(
            f"the repository {shown(repository)} can't be read: {error.strerror}"
        ) from error
    for name in names:
        if name.startswith("."):
            continue
        numbers, others = _find_versions(repository / name)
        if (numbers or others) and (fault := fault_of(name)):
            passed_over.append(
                f"the model's folder {shown(repository / name)} {fault}; rename it to be served"
            )
            continue
        too_large = [other for other in others if other.isdigit()]
        if too_large:
            refused[name] = (
                f"{shown(repository / name)} has the version {too_large[0]}, and the largest is "
                f"{MAX_VERSION}; rename the folder"
            )
        passed_over += [
            f"the version's folder {shown(repository / name / other)} {fault_of(other)}; rename it "
            "to be served"
            for other in others
            if other not in too_large
        ]
        if numbers or too_large:
            versions[name] = sorted(numbers)
    return Listing(versions, refused, passed_over)


def _find_versions(folder: Path) -> tuple[list[int], list[str]]:
    """Return the versions in a model's folder, and the names of folders that can't be versions."""
    numbers: list[int] = []
    others: list[str] = []
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        # Not a folder, or not readable.
        return numbers, others
    for name in names:
        is_number = bool(_NUMBER.fullmatch(name))
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
