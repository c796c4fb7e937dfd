"""IDX files: read whole or refused with the reason, and MNIST's real test images."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from exporter.training import mnist
from harness.server_process import ROOT

DATA = ROOT / "tests" / "data"


def idx(
    shape: tuple[int, ...], content: bytes | None = None, magic: bytes = b"\x00\x00\x08"
) -> bytes:
    """The bytes of an IDX file; values 0, 1, 2, ... unless `content` is given."""
    values = (
        bytes(index % 256 for index in range(int(np.prod(shape)))) if content is None else content
    )
    return magic + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["file.gz", "file"])
def test_reads_plain_and_gzipped_whatever_the_name(
    tmp_path: Path, pack: type[bytes], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(idx((2, 3, 4))))
    found = mnist.read_idx(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated: 0 bytes, an IDX file begins with 4"),
        (b"\x00\x00\x08", "is truncated: 3 bytes"),
        (idx((2, 3))[:9], "is truncated: 9 bytes, its header alone has 12"),
        (
            idx((2, 3))[:-1],
            "is truncated: 5 bytes of values, its header says 2 x 3 = 6; fetch it again",
        ),
        (idx((2, 3)) + b"\x00", "is oversized: 7 bytes of values, its header says 2 x 3 = 6"),
        (idx((2**32 - 1, 2**32 - 1), b""), "is truncated: 0 bytes of values"),
        (b"\x89PNG\r\n\x1a\n", "is not an IDX file: it begins with 89 50 4e 47, wanted 00 00 08"),
        (idx((2, 3), magic=b"\x00\x01\x08"), "is not an IDX file: it begins with 00 01 08 02"),
        (
            idx((2, 3), magic=b"\x00\x00\x0d"),
            r"has values of type 0x0d, wanted unsigned bytes \(0x08\)",
        ),
        (idx((), b""), "has 0 dimensions, wanted 1 to 8"),
        (b"\x00\x00\x08\xff", "has 255 dimensions, wanted 1 to 8"),
        (idx((0, 3)), r"has the shape \(0, 3\), wanted at least one value"),
        (
            gzip.compress(idx((2, 3)), mtime=0)[:-9],
            r"is damaged or truncated gzip \(.*\); fetch it again",
        ),
        (gzip.compress(idx((2, 3)), mtime=0)[:10] + b"\xff" * 20, "is damaged or truncated gzip"),
        (gzip.compress(idx((2, 3)), mtime=0) + b"more", "is damaged or truncated gzip"),
    ],
)
def test_wrong_file_is_explained(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(mnist.MnistError, match=rf"file {message}"):
        mnist.read_idx(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(mnist.MnistError, match="none can't be read: No such file"):
        mnist.read_idx(tmp_path / "none")


def test_test_images() -> None:
    images, labels = mnist.load(DATA, "test")
    assert images.shape == (10_000, 784)
    assert images.dtype == np.float32
    assert labels.shape == (10_000,)
    assert labels.dtype == np.int64
    assert (images.min(), images.max()) == (0, 1)
    # The counts and first labels as everybody finds them in this set.
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert labels[:5].tolist() == [7, 2, 1, 0, 4]
    raw = mnist.read_idx(DATA / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(np.rint(images * 255), raw.reshape(10_000, 784))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.gz")), ids=lambda path: path.name)
def test_committed_files_are_the_originals(path: Path) -> None:
    content = gzip.decompress(path.read_bytes())
    assert hashlib.sha256(content).hexdigest() == mnist.CHECKSUMS[path.stem]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (
            idx((2, 2, 2)),
            idx((3,)),
            r"has 2 images, but .*labels-idx1-ubyte has 3 labels; fetch both",
        ),
        (idx((2, 4)), idx((2,)), r"images-idx3-ubyte: 2 dimensions, wanted 3 \(N, rows, columns\)"),
        (idx((2, 2, 2)), idx((2, 1)), r"labels-idx1-ubyte: 2 dimensions, wanted 1 \(N,\)"),
    ],
)
def test_files_that_do_not_belong_together(
    tmp_path: Path, images: bytes, labels: bytes, message: str
) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(mnist.MnistError, match=message):
        mnist.load(tmp_path, "train")


@pytest.mark.parametrize(
    ("folder", "split", "remedies"),
    [
        (mnist.FOLDER, "train", ["exporter fetch`, or name another folder with --data"]),
        (mnist.TEST_FOLDER, "train", ["exporter fetch`, or name another folder with --data"]),
        (DATA, "train", [f"exporter fetch --data {DATA}`, or name another folder with --data"]),
        (mnist.FOLDER, "test", ["exporter fetch`, or take", "with --data tests/data, or name"]),
    ],
)
def test_missing_split_says_where_to_get_it(
    folder: Path,
    split: mnist.Split,
    remedies: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mnist.MnistError) as raised:
        mnist.load(folder, split)
    message = str(raised.value)
    assert message.startswith(f"{folder} has no {mnist.PREFIXES[split]}-images-idx3-ubyte.gz; ")
    assert all(remedy in message for remedy in remedies)


def test_only_what_is_there_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mnist.MnistError) as raised:
        mnist.load(mnist.FOLDER, "test")
    assert "tests/data" not in str(raised.value)


def test_only_its_own_files_are_called_mnist(tmp_path: Path) -> None:
    """Whatever the folder's name and the packing; one other byte and they are not."""
    for path in DATA.glob("*.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    assert mnist.identify(tmp_path, "test") == mnist.identify(DATA, "test")
    assert mnist.identify(DATA, "test").name == "MNIST"
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        right = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
        changed = mnist.identify(tmp_path, "test")
        assert changed.name == "not MNIST"
        assert changed != mnist.identify(DATA, "test")
        (tmp_path / name).write_bytes(right)
    train = [mnist.CHECKSUMS[f"train-{kind}"] for kind in (mnist.IMAGES, mnist.LABELS)]
    assert mnist.Dataset(*train).name == "MNIST"
    # Images of one split with labels of the other.
    assert mnist.Dataset(train[0], mnist.identify(DATA, "test").labels_sha256).name == "not MNIST"
    with pytest.raises(mnist.MnistError, match="download MNIST with"):
        mnist.identify(DATA, "train")
