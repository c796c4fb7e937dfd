"""Finds the pictures of a folder, in order, with bounded memory."""

import heapq
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ENDINGS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".jpx", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif"),
    *(".tiff", ".webp"),
)
"""How names of pictures end, in capitals or not."""

MAX_NAMES = 50_000
"""So many names of a folder are in memory at once; it is listed anew for each further lot."""

_MAX_ENDINGS = 5
_OTHERS = "others"


def find_pictures(
    folder: str, passed_over: Counter[str], max_names: int = MAX_NAMES
) -> Iterator[str | OSError]:
    """Yield the pictures of a folder and its subfolders, by name, subfolders in their place.

    Names that begin with a dot are left out, and links to folders, which could lead round in
    circles. `passed_over` counts, by ending, the files whose names don't end like a picture's. For
    a folder that can't be listed comes the error.
    """
    open_folders = [_list(folder, passed_over, max_names)]
    while open_folders:
        try:
            path, is_folder = next(open_folders[-1])
        except StopIteration:
            open_folders.pop()
        except OSError as error:
            open_folders.pop()
            yield error
        else:
            if is_folder:
                open_folders.append(_list(path, passed_over, max_names))
            else:
                yield path


def describe(passed_over: Counter[str]) -> str:
    """Return which endings were skipped and how often, such as .txt (3)."""
    return ", ".join(f"{ending} ({count:,})" for ending, count in passed_over.most_common())


def _list(folder: str, passed_over: Counter[str], max_names: int) -> Iterator[tuple[str, bool]]:
    """Yield the pictures and subfolders of one folder by name, and which of them are folders."""
    last = ""
    while True:
        with os.scandir(folder) as entries:
            later = (entry for entry in entries if entry.name > last)
            wanted = (
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in later
                if _is_wanted(entry, passed_over if not last else Counter())
            )
            found = heapq.nsmallest(max_names, wanted)
        for name, is_folder in found:
            yield str(Path(folder, name)), is_folder
        if len(found) < max_names:
            return
        last = found[-1][0]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry is a folder or leads to one."""
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False


def _is_wanted(entry: "os.DirEntry[str]", passed_over: Counter[str]) -> bool:
    if entry.name.startswith("."):
        return False
    if _is_folder(entry):
        return not entry.is_symlink()
    ending = Path(entry.name).suffix.lower()
    if ending in ENDINGS:
        return True
    title = ending or "no ending"
    is_told = title in passed_over or len(passed_over) < _MAX_ENDINGS
    passed_over[title if is_told else _OTHERS] += 1
    return False
