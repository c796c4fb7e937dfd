"""Files as readers must find them: written whole or not at all, read whatever is wrong in them."""

import io
import os
import secrets
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError

Arrays = Mapping[str, npt.NDArray[Any]]

MAX_BYTES = 2**31
"""What an archive may unpack to: an ONNX file, which is made of it, can't be larger."""

READ_ERRORS = (Exception,)
"""What libraries raise over damaged files: archives may ask for any memory, password or packing."""


class ArchiveError(ExporterError):
    """An .npz file can't be read; the message says which part of it and why."""


def write_file(path: Path, content: bytes) -> None:
    """Replace a file's content in one step: readers see the old or the new. Folders are made. A
    writer that is killed leaves at most a hidden file ending in `.tmp` beside it. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        write_synced(temporary, content)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    sync_folder(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has the folder's list of names, where folders can be opened."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def pack_npz(arrays: Arrays) -> bytes:
    """Return the bytes of an .npz, which depend on the arrays alone: neither on time nor system."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, array in arrays.items():
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            member = io.BytesIO()
            little = array.astype(array.dtype.newbyteorder("<"))
            np.lib.format.write_array(member, little, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()


def read_npz(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return every array of an .npz file; nothing is unpickled. Raises ArchiveError."""
    key = "the archive"
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            check_size(members)
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for key in archive.files:
                arrays[key] = np.asarray(archive[key])
    except ArchiveError:
        raise
    except READ_ERRORS as error:
        raise ArchiveError(f"{key} can't be read: {str(error) or type(error).__name__}") from error
    return arrays


def check_size(archive: zipfile.ZipFile) -> None:
    """Raise ArchiveError for an archive that would unpack to more than `MAX_BYTES`."""
    size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise ArchiveError(f"the archive unpacks to {size} bytes, wanted up to {MAX_BYTES}")
