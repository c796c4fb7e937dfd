"""Whatever the file, its blocks are its images in order."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpserve.command.arrays.header import ArrayError
from mlpserve.command.arrays.reading import count_images, find_array, read_blocks
from tests.mlpserve.command.arrays.files import idx_bytes, save_idx, save_npy

DTYPES = ("uint8", "bool", "float16", ">f4", "<f8")


@given(
    n=st.integers(1, 9),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    is_flat=st.booleans(),
    order=st.sampled_from("CF"),
    dtype=st.sampled_from(DTYPES),
    n_block=st.integers(1, 10),
)
def test_npy(
    tmp_path_factory: pytest.TempPathFactory,
    n: int,
    rows: int,
    columns: int,
    is_flat: bool,
    order: str,
    dtype: str,
    n_block: int,
) -> None:
    images = np.arange(n * rows * columns).reshape(n, rows, columns).astype(dtype)
    shaped = images.reshape(n, -1) if is_flat else images
    path = save_npy(
        tmp_path_factory.getbasetemp() / "images.npy",
        np.asfortranarray(shaped) if order == "F" else shaped,
    )
    header = find_array(path)
    assert header is not None
    blocks = list(read_blocks(path, header, n, n_block))
    assert all(len(block) <= n_block for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), images.reshape(n, -1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_one_image_alone(tmp_path: Path, order: str) -> None:
    image = np.arange(20, dtype=np.uint8).reshape(4, 5)
    path = save_npy(tmp_path / "image.npy", np.asfortranarray(image) if order == "F" else image)
    header = find_array(path)
    assert header is not None
    (block,) = read_blocks(path, header, count_images(header, 20), 512)
    np.testing.assert_array_equal(block, image.reshape(1, 20))


@pytest.mark.parametrize("name", ["images-idx3-ubyte", "images-idx3-ubyte.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_idx(tmp_path: Path, name: str, dtype: str) -> None:
    images = np.linspace(0, 200, 7 * 20).reshape(7, 4, 5).astype(dtype)
    path = save_idx(tmp_path / name, images)
    header = find_array(path)
    assert header is not None
    blocks = list(read_blocks(path, header, 7, 3))
    assert [len(block) for block in blocks] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), images.reshape(7, 20))


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_a_file_that_is_cut_meanwhile(tmp_path: Path, is_gzipped: bool) -> None:
    path = tmp_path / "images-idx3-ubyte"
    content = idx_bytes(np.zeros((100_000, 4, 5), np.uint8))
    pack = gzip.compress if is_gzipped else bytes
    path.write_bytes(pack(content))
    header = find_array(path)
    assert header is not None
    path.write_bytes(pack(content[: len(content) // 2]))
    blocks = read_blocks(path, header, 100_000, 1000)
    with pytest.raises(ArrayError, match="was cut while it was read"):
        list(blocks)
