"""Opens picture files: from disk or standard input, and nothing that never ends."""

import io
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from mlpserve.command.arrays import idx, npy
from mlpserve.command.arrays.header import GZIP_MAGIC
from mlpserve.command.messages import explain_file
from mlpserve.pictures import PictureError

STDIN = "-"

MAX_BYTES = 2**29
"""Larger files are not pictures, or do not fit into memory."""


def open_picture(name: str) -> BinaryIO:
    """Open a picture file, or what standard input holds for `-`.

    Raises PictureError when it can't be opened, is empty or too large, or is a pipe or
    a device, which may never end.
    """
    if name == STDIN:
        # Pillow moves back and forth in a file, which a pipe can't.
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
        _check_size(len(content))
        if content.startswith((npy.MAGIC, GZIP_MAGIC)) or idx.is_idx(content[:4]):
            raise PictureError("holds an array; give the name of its file instead of -")
        return io.BytesIO(content)
    try:
        # A pipe that nobody writes to would be waited for.
        _check_kind(Path(name).stat())
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        raise PictureError(explain_file(error)) from error


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise PictureError("is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("is a pipe or a device, not a file; send pipes to standard input, as -")
    _check_size(status.st_size)


def _check_size(n_bytes: int) -> None:
    if not n_bytes:
        raise PictureError("is empty")
    if n_bytes > MAX_BYTES:
        raise PictureError(
            f"has more than {MAX_BYTES:,} bytes, too many for a picture; make it smaller"
        )
