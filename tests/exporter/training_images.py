"""Files of images and labels as MNIST's are, and those that `exporter fetch` stores, with few
training images.
"""

import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from exporter.training import mnist
from harness.server_process import ROOT

KINDS = ("images-idx3", "labels-idx1")
N_TEST, N_TRAIN = 10_000, 12_000


def write_idx(path: Path, values: npt.NDArray[np.uint8]) -> None:
    """Write an IDX file, which is packed if its name ends in .gz."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    content = header + values.tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def write_mnist(folder: Path) -> None:
    """Write the four files. The training images are 2,000 of the test images, then all of them, so
    that there are 10,000 to validate on: the repository has no others.
    """
    for kind in KINDS:
        name = f"t10k-{kind}-ubyte.gz"
        packed = ROOT / "tests" / "data" / name
        shutil.copy(packed, folder)
        values = mnist.read_idx(packed)
        few = values[: N_TRAIN - N_TEST]
        write_idx(folder / name.replace("t10k", "train"), np.concatenate([few, values]))
