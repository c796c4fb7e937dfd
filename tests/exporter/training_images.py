"""MNIST as `exporter fetch` stores it, with few training images, made of the test images."""

import gzip
from pathlib import Path

from harness.server_process import ROOT

KINDS = ("images-idx3", "labels-idx1")
N_TEST, N_TRAIN = 10_000, 12_000


def write_mnist(folder: Path) -> None:
    """Write the four files. The training images are 2,000 of the test images, then all of them, so
    that there are 10,000 to validate on: the repository has no others.
    """
    for kind in KINDS:
        name = f"t10k-{kind}-ubyte.gz"
        packed = (ROOT / "tests" / "data" / name).read_bytes()
        (folder / name).write_bytes(packed)
        content = gzip.decompress(packed)
        begin = 4 + 4 * content[3]
        values = content[begin:]
        few = values[: len(values) // N_TEST * (N_TRAIN - N_TEST)]
        training = content[:4] + N_TRAIN.to_bytes(4) + content[8:begin] + few + values
        file = folder / name.replace("t10k", "train")
        file.write_bytes(gzip.compress(training, compresslevel=1))
