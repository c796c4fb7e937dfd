"""Looks at what is to be classified before anything is sent: pictures, folders and arrays."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpserve.command.arrays.header import ArrayError, Header
from mlpserve.command.arrays.reading import check_gzip, count_images, find_array
from mlpserve.command.messages import printable
from mlpserve.command.predict.files import STDIN


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, or what will be refused as one; `-` is standard input."""

    path: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of pictures."""

    path: str


@dataclass(frozen=True, slots=True)
class Array:
    """A file of images."""

    path: str
    header: Header


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that can't be classified, and why."""

    path: str
    reason: str


Input = Picture | Folder | Array | Unreadable


def look_at(path: str) -> Input:
    """Return what stands at a path."""
    if path == STDIN:
        return Picture(path)
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            return Folder(path)
        # What is neither, such as a pipe, would be waited for; as a picture it is refused.
        header = find_array(Path(path)) if stat.S_ISREG(mode) else None
    except ArrayError as error:
        return Unreadable(path, printable(str(error)))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Unreadable(path, reason.lower())
    return Picture(path) if header is None else Array(path, header)
