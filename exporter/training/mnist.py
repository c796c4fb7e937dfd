"""MNIST's files: read IDX, plain or gzipped, and fetch the four from public mirrors."""

import contextlib
import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from exporter.errors import ExporterError, reason_of
from exporter.files import write_file
from exporter.hints import command
from exporter.network.network import Batch

Labels = npt.NDArray[np.int64]
"""The class of each image, as the index of its output neuron."""

Split = Literal["train", "test"]

NAME = "MNIST"

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each file's content before compression: every mirror compresses in its own way."""

IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}
"""How the names of a split's files begin."""

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
"""IDX's code for the only type of value that MNIST uses."""

MAX_DIMENSIONS = 8

MAX_BYTES = 2**30
"""What a gzipped file may unpack to, twenty times what the largest of MNIST's does."""

BLOCK_BYTES = 2**24

ROUNDS = 2
"""How often each mirror is tried: the second time makes good a connection that broke."""

TIMEOUT_SECONDS = 30.0

NO_PROXY = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""Where no proxy is asked, which would look for a mirror on this machine on its own."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of a split, by the SHA-256 of what they hold before compression."""

    images_sha256: str
    labels_sha256: str

    @property
    def name(self) -> str:
        """What the files are, as far as their content tells."""
        known = [
            (CHECKSUMS[f"{prefix}-{IMAGES}"], CHECKSUMS[f"{prefix}-{LABELS}"])
            for prefix in PREFIXES.values()
        ]
        return NAME if (self.images_sha256, self.labels_sha256) in known else f"not {NAME}"


class MnistError(ExporterError):
    """A file of MNIST is missing, damaged or can't be fetched; the message says what to do."""


def load(folder: Path, split: Split) -> tuple[Batch, Labels]:
    """Return a split's images (N, 784) float32 in [0, 1] and labels (N,) int64.

    Files may be gzipped (`.gz`) or plain. Raises MnistError when one is missing or damaged, or they
    don't belong together.
    """
    images_path, labels_path = _paths(folder, split)
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3:
        raise MnistError(f"{images_path}: {images.ndim} dimensions, wanted 3 (N, rows, columns)")
    if labels.ndim != 1:
        raise MnistError(f"{labels_path}: {labels.ndim} dimensions, wanted 1 (N,)")
    if len(images) != len(labels):
        raise MnistError(
            f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels; "
            "fetch both again"
        )
    pixels = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return pixels, labels.astype(np.int64)


def identify(folder: Path, split: Split) -> Dataset:
    """Return what a split's files hold; raises MnistError when one is missing or damaged."""
    digests = (
        hashlib.sha256(_unpack(path, _read(path))).hexdigest() for path in _paths(folder, split)
    )
    return Dataset(*digests)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, plain or gzipped, whatever its name.

    The format is that of http://yann.lecun.com/exdb/mnist: two zero bytes, the type's code, the
    number of dimensions, each dimension as a big-endian 32-bit integer, then the values. Raises
    MnistError for anything else.
    """
    content = _unpack(path, _read(path))
    if len(content) < 4:
        raise MnistError(f"{path} is truncated: {len(content)} bytes, an IDX file begins with 4")
    if content[:2] != b"\x00\x00":
        raise MnistError(
            f"{path} is not an IDX file: it begins with {content[:4].hex(' ')}, wanted 00 00 08 "
            "and the number of dimensions"
        )
    if content[2] != UNSIGNED_BYTE:
        raise MnistError(
            f"{path} has values of type 0x{content[2]:02x}, wanted unsigned bytes (0x08)"
        )
    n_dimensions = content[3]
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise MnistError(f"{path} has {n_dimensions} dimensions, wanted 1 to {MAX_DIMENSIONS}")
    start = 4 + 4 * n_dimensions
    if len(content) < start:
        raise MnistError(f"{path} is truncated: {len(content)} bytes, its header alone has {start}")
    shape = struct.unpack(f">{n_dimensions}I", content[4:start])
    if 0 in shape:
        raise MnistError(f"{path} has the shape {shape}, wanted at least one value")
    n_bytes, n_values = len(content) - start, math.prod(shape)
    if n_bytes != n_values:
        what = "truncated" if n_bytes < n_values else "oversized"
        promised = " x ".join(str(size) for size in shape)
        raise MnistError(
            f"{path} is {what}: {n_bytes} bytes of values, its header says {promised} = "
            f"{n_values}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def fetch(
    folder: Path,
    *,
    mirrors: Sequence[str] = MIRRORS,
    checksums: Mapping[str, str] = CHECKSUMS,
    console: Console | None = None,
) -> list[Path]:
    """Download the files named in `checksums` into `folder`, gzipped, and return their paths.

    Files that are there and right are left alone. A broken download stays as `NAME.gz.part` and is
    taken up where it ended, from any of the mirrors (addresses of folders). A file gets its
    name only when the SHA-256 of its content is right. `console` shows the progress. Raises
    MnistError when no mirror gives a file, saying what each one did, and OSError when the folder
    can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = TextColumn("{task.description}")
    columns = text, BarColumn(), DownloadColumn(), TransferSpeedColumn()
    # Identity: what is stored must be the .gz file itself, at offsets that Range counts.
    client = httpx.Client(
        timeout=TIMEOUT_SECONDS,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
        mounts=NO_PROXY,
    )
    with client, Progress(*columns, console=console or Console(stderr=True)) as progress:
        return [
            _fetch_file(client, folder / f"{name}.gz", checksum, mirrors, progress)
            for name, checksum in checksums.items()
        ]


def _fetch_file(
    client: httpx.Client, path: Path, checksum: str, mirrors: Sequence[str], progress: Progress
) -> Path:
    """Download one file from the first mirror that has it right."""
    task = progress.add_task(path.name, total=None)
    if path.exists():
        with contextlib.suppress(MnistError):
            _check(path, checksum)
            progress.update(task, total=path.stat().st_size, completed=path.stat().st_size)
            return path
    part = path.with_name(f"{path.name}.part")
    failures = []
    for mirror in [*mirrors] * ROUNDS:
        try:
            _download(client, f"{mirror.rstrip('/')}/{path.name}", part, progress, task)
            write_file(path, _check(part, checksum))
            part.unlink()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # What has arrived so far stays for the next attempt.
            failures.append(f"{mirror}: {str(error) or type(error).__name__}")
        except MnistError as error:
            part.unlink(missing_ok=True)
            failures.append(f"{mirror}: {error}")
        else:
            return path
    reasons = "; ".join(dict.fromkeys(failures))
    raise MnistError(f"{path.name} can't be fetched: {reasons}. Try again, or copy it to {path}")


def _download(
    client: httpx.Client, address: str, part: Path, progress: Progress, task: TaskID
) -> None:
    """Append to `part` what it lacks of the file at `address`.

    Raises httpx.HTTPError when the connection breaks or the server refuses, MnistError when it
    sends another range than asked for.
    """
    size = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={size}-"} if size else {}
    with client.stream("GET", address, headers=headers) as response:
        if size and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # Nothing follows: the part is whole, or wrong, which its checksum will tell.
            return
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumed:
            content_range = response.headers.get("Content-Range", "")
            if not content_range.startswith(f"bytes {size}-"):
                raise MnistError(f"asked for bytes from {size} on, got {content_range!r}")
        else:
            size = 0
        length = response.headers.get("Content-Length")
        progress.update(task, total=size + int(length) if length else None, completed=size)
        with part.open("ab" if resumed else "wb") as file:
            for block in response.iter_raw():
                file.write(block)
                progress.advance(task, len(block))


def _check(path: Path, checksum: str) -> bytes:
    """Return the file's bytes when the SHA-256 of its content is right; raises MnistError."""
    content = _read(path)
    digest = hashlib.sha256(_unpack(path, content)).hexdigest()
    if digest != checksum:
        raise MnistError(f"{path.name} has a content of SHA-256 {digest}, wanted {checksum}")
    return content


def _paths(folder: Path, split: Split) -> tuple[Path, Path]:
    """Return the paths of a split's images and labels."""
    prefix = PREFIXES[split]
    return _find(folder, f"{prefix}-{IMAGES}"), _find(folder, f"{prefix}-{LABELS}")


def _find(folder: Path, name: str) -> Path:
    """Return the path of a file that may be gzipped."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise MnistError(
        f"{folder} has no {name}.gz; download MNIST with `{command('exporter fetch')}`, or name "
        "another folder with --data or MLPSERVE_MNIST"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MnistError(f"{path} can't be read: {reason_of(error)}") from error


def _unpack(path: Path, content: bytes) -> bytes:
    """Return the bytes of the file `path`, unpacked when they begin like gzip."""
    if not content.startswith(GZIP_MAGIC):
        return content
    blocks: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            while size <= MAX_BYTES and (block := packed.read(BLOCK_BYTES)):
                blocks.append(block)
                size += len(block)
    except (EOFError, OSError, struct.error, zlib.error) as error:
        raise MnistError(
            f"{path} is damaged or truncated gzip ({error}); fetch it again"
        ) from error
    if size > MAX_BYTES:
        raise MnistError(f"{path} unpacks to more than {MAX_BYTES} bytes; fetch it again")
    return b"".join(blocks)
