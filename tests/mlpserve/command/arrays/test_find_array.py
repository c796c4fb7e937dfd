"""Files of arrays are known by their content, and what is wrong with one is told by its header."""

import contextlib
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpserve.command.arrays.header import ArrayError, Header
from mlpserve.command.arrays.reading import check_gzip, count_images, find_array
from tests.mlpserve.command.arrays.files import idx_bytes, npy_bytes, save_idx, save_npy

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
NPY = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize("name", ["images.npy", "images", "images.png"])
def test_npy(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        np.save(file, IMAGES)
    assert find_array(path) == Header((3, 4, 5), np.dtype("u1"), 128)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_versions_of_npy(tmp_path: Path, version: tuple[int, int]) -> None:
    path = tmp_path / "images.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, IMAGES, version)
    header = find_array(path)
    assert header is not None
    assert header.shape == (3, 4, 5)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "images.idx", "anything", "x.png"])
@pytest.mark.parametrize("is_gzipped", [False, True])
def test_idx(tmp_path: Path, name: str, is_gzipped: bool) -> None:
    content = idx_bytes(IMAGES)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if is_gzipped else content)
    assert find_array(path) == Header((3, 4, 5), np.dtype("u1"), 16, is_gzipped=is_gzipped)


def test_other_files_are_none(tmp_path: Path) -> None:
    for content in (b"", b"\x89PNG", b"GIF89a", b"\0\0\2\0", b"\0\0\x0b\0", b"\0\0\1\0", b"text"):
        path = tmp_path / "7.png"
        path.write_bytes(content)
        assert find_array(path) is None


BAD_NPY = {
    "empty": (b"", "not a valid .npy file: EOF"),
    "another file": (b"hello, world", "not a valid .npy file: the magic string is not correct"),
    "cut in its header": (npy_bytes(NPY % "(1, 4)")[:40], "not a valid .npy file: EOF"),
    "cut": (
        npy_bytes(NPY % "(2, 4)", bytes(7)),
        "truncated: 2 x 4 values of uint8 are 8 bytes, an",
    ),
    "two arrays": (npy_bytes(NPY % "(2, 4)", bytes(9)), "is longer than its header says"),
    "no images": (npy_bytes(NPY % "(0, 784)"), r"holds no images: its shape is \(0, 784\)"),
    "negative": (npy_bytes(NPY % "(-1, -8)", bytes(8)), r"its shape is \(-1, -8\)"),
    "endless": (npy_bytes(NPY % f"({10**30}, 784)"), "is truncated"),
    "code": (npy_bytes(NPY % "__import__('os').abort()"), "not a valid .npy file"),
    "nested": (npy_bytes("(" * 100), "not a valid .npy file"),
    "no header": (npy_bytes("{}"), "not a valid .npy file: Header does not contain"),
    "binary": (b"\x93NUMPY\x01\x00\x04\x00\xff\xfe\x00\n", "not a valid .npy file"),
    "a later format": (b"\x93NUMPY\x03\x00" + bytes(20), r"has .npy's format \(3, 0\)"),
    "nested values": (
        npy_bytes("{'descr': ('|u1', (2,)), 'fortran_order': False, 'shape': (2, 2), }", bytes(8)),
        "has values that are arrays themselves",
    ),
}


@pytest.mark.parametrize("name", BAD_NPY)
def test_bad_npy(tmp_path: Path, name: str) -> None:
    content, message = BAD_NPY[name]
    path = tmp_path / "images.npy"
    path.write_bytes(content)
    with pytest.raises(ArrayError, match=message):
        find_array(path)


class _Spy:
    """What unpickling it does leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    objects = np.array([_Spy(trace), None], object)
    with pytest.raises(ArrayError, match=r"holds Python objects, .* pickle may run any code"):
        find_array(save_npy(tmp_path / "objects.npy", objects))
    assert not trace.exists()


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "int64", "complex64", "datetime64[s]", "u1,f4"]
)
def test_types_that_can_not_be_sent(tmp_path: Path, dtype: str) -> None:
    path = save_npy(tmp_path / "images.npy", np.zeros((2, 784), dtype))
    with pytest.raises(ArrayError, match="wanted floats, uint8 or bool: convert"):
        find_array(path)


@pytest.mark.parametrize("dtype", ["U3", "S5"])
def test_texts_are_no_images(tmp_path: Path, dtype: str) -> None:
    path = save_npy(tmp_path / "images.npy", np.zeros((2, 784), dtype))
    with pytest.raises(ArrayError, match="holds text; save an array of floats, uint8 or bool"):
        find_array(path)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((28, 28, 3), r"make it grey with images.mean\(axis=-1\).astype\(np.uint8\)"),
        ((5, 1, 28, 28), r"send images\[:, 0\]"),
        ((784, 3), "it looks transposed: save images.T"),
    ],
)
def test_what_an_array_of_another_shape_looks_like(
    tmp_path: Path, shape: tuple[int, ...], remedy: str
) -> None:
    header = find_array(save_npy(tmp_path / "images.npy", np.zeros(shape, np.uint8)))
    assert header is not None
    with pytest.raises(ArrayError, match=remedy):
        count_images(header, 784)


@pytest.mark.parametrize(
    "dtype", ["uint8", "bool", "float16", "<f4", ">f4", "float64", "longdouble"]
)
def test_types_that_can_be_sent(tmp_path: Path, dtype: str) -> None:
    header = find_array(save_npy(tmp_path / "images.npy", np.zeros((2, 784), dtype)))
    assert header is not None
    assert header.dtype == np.dtype(dtype)


def test_archives_and_packed_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=IMAGES)
    with pytest.raises(ArrayError, match=r"archive of arrays; take the images out: np\.save"):
        find_array(tmp_path / "images.npz")
    packed = tmp_path / "images.npy.gz"
    packed.write_bytes(gzip.compress(npy_bytes(NPY % "(1, 4)", bytes(4))))
    with pytest.raises(ArrayError, match="unpack it with gunzip"):
        find_array(packed)


CONTENT = idx_bytes(IMAGES)
BAD_IDX = {
    "empty": (b"", "is not an IDX file: it begins with nothing"),
    "magic": (b"\1" + CONTENT[1:], "is not an IDX file: it begins with 01 00 08 03"),
    "type": (b"\0\0\7" + CONTENT[3:], "is not an IDX file: it begins with 00 00 07 03"),
    "no dimensions": (
        b"\0\0\x08\0" + CONTENT[4:],
        "is not an IDX file: it begins with 00 00 08 00",
    ),
    "many dimensions": (b"\0\0\x08\xff" + bytes(2000), "is not an IDX file"),
    "cut in its header": (CONTENT[:11], "is truncated in its header"),
    "cut": (CONTENT[:-1], "is truncated: 3 x 4 x 5 values of uint8 are 60 bytes, and 59 follow"),
    "longer": (CONTENT + b"\0", "is longer than its header says"),
    "no images": (idx_bytes(np.zeros((0, 4, 5), np.uint8)), "holds no images"),
    "labels": (idx_bytes(np.zeros(9, np.uint8)), "as MNIST's labels have; give the file of the im"),
    "integers": (idx_bytes(np.zeros((2, 4), np.int32)), "wanted floats, uint8 or bool"),
}


@pytest.mark.parametrize("name", BAD_IDX)
@pytest.mark.parametrize("is_gzipped", [False, True])
def test_bad_idx(tmp_path: Path, name: str, is_gzipped: bool) -> None:
    content, message = BAD_IDX[name]
    path = tmp_path / ("t10k-images-idx3-ubyte" + ".gz" * is_gzipped)
    path.write_bytes(gzip.compress(content) if is_gzipped else content)
    with pytest.raises(ArrayError, match=message):
        find_and_unpack(path)


def find_and_unpack(path: Path) -> None:
    """Check a gzipped file as a whole: of packed values only unpacking tells."""
    header = find_array(path)
    assert header is not None
    check_gzip(path, header)


def test_damaged_gzip(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (100, 28, 28), np.uint8)
    path = save_idx(tmp_path / "images.gz", images)
    packed = path.read_bytes()
    for damaged in (packed[:30], packed[:-1], packed[:-9] + b"\0" + packed[-8:], packed + b"x"):
        path.write_bytes(damaged)
        with pytest.raises(ArrayError, match=r"is damaged or truncated gzip .* fetch it again"):
            find_and_unpack(path)


def test_no_more_is_unpacked_than_a_header_promises(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(CONTENT + bytes(2**26)) + b"damaged")
    # Who goes on meets the damage.
    with pytest.raises(ArrayError, match="is longer than its header says"):
        find_and_unpack(path)


@given(st.data())
def test_any_damage_is_explained(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    content = bytearray(npy_bytes(NPY % "(2, 4)", bytes(8)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 90))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(ArrayError):
        header = find_array(path)
        assert header is not None
        assert header.n_bytes == 8


COUNTS = {
    (20,): 1,
    (4, 5): 1,
    (7, 20): 7,
    (1, 20): 1,
    (20, 1): 1,
    (20, 20): 20,
    (7, 4, 5): 7,
    (7, 5, 4): 7,
    (1, 4, 5): 1,
}


@pytest.mark.parametrize("shape", COUNTS)
def test_counts(shape: tuple[int, ...]) -> None:
    assert count_images(Header(shape, np.dtype("u1"), 0), 20) == COUNTS[shape]


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((), "no images"),
        ((40,), "no images"),
        ((4, 6), "images of 6 pixels"),
        ((7, 4, 6), "images of 4 x 6 pixels"),
        ((20, 7, 1), "images of 7 x 1 pixels"),
        ((7, 4, 5, 1), "images of 4 x 5 x 1 pixels"),
    ],
)
def test_shapes_of_other_images(shape: tuple[int, ...], found: str) -> None:
    with pytest.raises(ArrayError) as raised:
        count_images(Header(shape, np.dtype("u1"), 0), 20)
    assert f"has the shape {shape}: {found}, and those of the model have 20" in str(raised.value)
