"""MNIST's files: IDX, plain or gzipped, as images and labels."""

import gzip
import hashlib
import io
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError, reason_of
from exporter.network.network import Batch
from modelfile.hints import command, quoted

Labels = npt.NDArray[np.int64]
"""The class of each image, as the index of its output neuron."""

Split = Literal["train", "test"]

NAME = "MNIST"

FOLDER = Path("data/mnist")
"""Where the commands look for the files."""

TEST_FOLDER = Path("tests/data")
"""Where the repository itself has the files of the test images, seen from its root."""

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
"""The most that a gzipped file may unpack to, twenty times as much as the largest of MNIST's."""

BLOCK_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of a split, by the SHA-256 of what they hold before compression."""

    images_sha256: str
    labels_sha256: str

    @property
    def name(self) -> str:
        """The name of the data set, as far as the content of the files tells."""
        known = [
            (CHECKSUMS[f"{prefix}-{IMAGES}"], CHECKSUMS[f"{prefix}-{LABELS}"])
            for prefix in PREFIXES.values()
        ]
        return NAME if (self.images_sha256, self.labels_sha256) in known else f"not {NAME}"


class MnistError(ExporterError):
    """A file of MNIST is missing, damaged or can't be downloaded; the message says what to do."""


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
    """Identify a split's files by content; raises MnistError when one is missing or damaged."""
    digests = (
        hashlib.sha256(unpack(path, read(path))).hexdigest() for path in _paths(folder, split)
    )
    return Dataset(*digests)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, plain or gzipped, whatever its name.

    The format is that of http://yann.lecun.com/exdb/mnist: two zero bytes, the type's code, the
    number of dimensions, each dimension as a big-endian 32-bit integer, then the values. Raises
    MnistError for anything else.
    """
    content = unpack(path, read(path))
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


def _paths(folder: Path, split: Split) -> tuple[Path, Path]:
    """Return the paths of a split's images and labels."""
    prefix = PREFIXES[split]
    return _find(folder, f"{prefix}-{IMAGES}"), _find(folder, f"{prefix}-{LABELS}")


def _find(folder: Path, name: str) -> Path:
    """Return the path of a file that may be gzipped."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    # The repository's own folder is not to be filled.
    where = "" if folder in (FOLDER, TEST_FOLDER) else f" --data {quoted(folder)}"
    remedies = [f"download MNIST with `{command(f'exporter fetch{where}')}`"]
    if (TEST_FOLDER / f"{name}.gz").is_file():
        remedies.append(f"take this repository's test images with --data {TEST_FOLDER}")
    remedies.append("name another folder with --data or MLPSERVE_MNIST")
    raise MnistError(f"{folder} has no {name}.gz; {', or '.join(remedies)}")


def read(path: Path) -> bytes:
    """Return the bytes of a file; raises MnistError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise MnistError(f"{path} can't be read: {reason_of(error)}") from error


def unpack(path: Path, content: bytes) -> bytes:
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
