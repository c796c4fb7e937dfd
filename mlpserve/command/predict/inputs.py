"""Looks at what is to be classified before anything is sent: pictures, folders and arrays."""

import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpserve.command.arrays.header import ArrayError, Header
from mlpserve.command.arrays.reading import count_images as count_in_array
from mlpserve.command.arrays.reading import find_array
from mlpserve.command.messages import complain, explain_file, printable
from mlpserve.command.predict.files import STDIN
from mlpserve.command.predict.folders import find_pictures
from mlpserve.command.predict.target import Target


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
    """A file of images; how many, only the model tells, by their size."""

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
        return Unreadable(path, explain_file(error))
    return Picture(path) if header is None else Array(path, header)


def check(entries: Sequence[Input], target: Target) -> list[Input]:
    """Return the inputs without arrays that a model can't take, and say what can't be read.

    Where nothing is an array, this asks no server.
    """
    checked = [
        _check_array(entry, target) if isinstance(entry, Array) else entry for entry in entries
    ]
    kinds = set(map(type, checked))
    if Array in kinds and kinds & {Picture, Folder}:
        # Not only after the arrays it should turn out that the model takes no pictures.
        _ = target.pictures
    for entry in checked:
        if isinstance(entry, Unreadable):
            complain(printable(entry.path), entry.reason)
    return checked


def count_images(entries: Sequence[Input], target: Target) -> int:
    """Return how many rows the results of inputs will have, nearly: folders may change."""
    n_images = 0
    for entry in entries:
        match entry:
            case Array(_, header):
                n_images += count_in_array(header, target.n_pixels)
            case Folder(path):
                n_images += max(1, sum(1 for _ in find_pictures(path, Counter())))
            case _:
                n_images += 1
    return n_images


def _check_array(array: Array, target: Target) -> Input:
    try:
        count_in_array(array.header, target.n_pixels)
    except ArrayError as error:
        return Unreadable(array.path, str(error))
    return array
