"""Arrays of any size go through the command, the server and the network, in little memory."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ROOT, ServerProcess
from tests.mlpserve.command.arrays.files import npy_bytes

IDX = "t10k-images-idx3-ubyte"
PACKED = ROOT / "tests" / "data" / f"{IDX}.gz"
CARD = ROOT / "docs" / "model-card.md"


def command(server: ServerProcess, *arguments: Path | str) -> list[str]:
    program = [sys.executable, "-W", "error", "-m", "mlpserve", "predict"]
    return [*program, *map(str, arguments), "--address", server.grpc_address]


def predict(server: ServerProcess, *arguments: Path | str) -> str:
    return subprocess.run(
        command(server, *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """MNIST's test images as they are in their file, unpacked."""
    path = tmp_path / IDX
    with gzip.open(PACKED) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def test_the_accuracy_that_the_model_card_tells(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    output = tmp_path / "results.npy"
    assert predict(server, PACKED, "--output", output) == ""
    results = np.load(output)
    accuracy = np.mean(results["label"] == digits[1])
    assert f"| **{100 * accuracy:.2f}% ±" in CARD.read_text()
    np.testing.assert_array_equal(results["activations"].argmax(axis=1), results["label"])


def test_each_kind_of_file_gives_the_same(
    server: ServerProcess, unpacked: Path, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    levels = np.round(255 * digits[0]).astype(np.uint8)
    forms: tuple[npt.NDArray[Any], ...] = (
        levels,
        levels.reshape(-1, 28, 28),
        np.asfortranarray(levels.reshape(-1, 28, 28)),
        digits[0],
        digits[0].astype(np.float64),
    )
    paths = [tmp_path / f"{number}.npy" for number in range(len(forms))]
    for path, form in zip(paths, forms, strict=True):
        np.save(path, form)
    wanted, *others = (answers(server, path, tmp_path) for path in (PACKED, unpacked, *paths))
    for results in others:
        np.testing.assert_array_equal(results["label"], wanted["label"])
        np.testing.assert_allclose(results["activations"], wanted["activations"], atol=1e-6)


def answers(server: ServerProcess, path: Path, folder: Path) -> npt.NDArray[Any]:
    """The results for a file of images."""
    predict(server, path, "--output", folder / "results.npy")
    results: npt.NDArray[Any] = np.load(folder / "results.npy")
    return results


def test_each_format_says_the_same(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    path = tmp_path / "images.npy"
    np.save(path, digits[0][:2000])
    for ending in ("npy", "csv", "jsonl", "txt"):
        predict(server, path, "--output", tmp_path / f"r.{ending}")
    results = np.load(tmp_path / "r.npy")
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    objects = list(map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines()))
    lines = (tmp_path / "r.txt").read_text().splitlines()
    labels = results["label"].tolist()
    assert [int(row["label"]) for row in rows] == labels
    assert [one["label"] for one in objects] == labels
    assert [int(line.split()[1]) for line in lines] == labels
    for k in range(10):
        column = results["activations"][:, k]
        written = np.array([row[f"activation_{k}"] for row in rows]).astype(np.float32)
        np.testing.assert_array_equal(written, column)
        told = [one["activations"][str(k)] for one in objects]
        np.testing.assert_array_equal(np.array(told, np.float32), column)


def test_canonicalize(server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path) -> None:
    shifted = np.zeros((500, 28, 28), np.float32)
    shifted[:, 4:, 4:] = digits[0][:500].reshape(-1, 28, 28)[:, :-4, :-4]
    np.save(tmp_path / "shifted.npy", shifted)
    right = []
    for options in ((), ("--canonicalize",)):
        output = tmp_path / "r.npy"
        predict(server, tmp_path / "shifted.npy", "--output", output, *options)
        right.append(np.mean(np.load(output)["label"] == digits[1][:500]))
    assert right[0] < 0.4
    assert right[1] > 0.9


def test_the_servers_time_is_told(server: ServerProcess, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((3, 784), np.uint8))
    arguments = command(server, tmp_path / "images.npy", "--timing")
    told = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(told.stdout.splitlines()) == 3
    duration = r"[0-9.]+ (us|ms|s)"
    stages = ", ".join(f"{stage} {duration}" for stage in ("decode", "queue", "run", "encode"))
    assert re.fullmatch(rf"Timing: 1 call took the server {duration}; {stages}\n", told.stderr)


def save_sparse(path: Path, n_images: int) -> Path:
    """Write an .npy file of black images, which takes no place on the disk."""
    header = npy_bytes(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n_images}, 784), }}")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + n_images * 784)
    return path


def save_packed(path: Path, n_images: int) -> Path:
    """Write an IDX file of black images, gzipped."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\x03" + n_images.to_bytes(4, "big") + (b"\0\0\0\x1c" * 2))
        for _ in range(n_images // 1000):
            file.write(bytes(784_000))
    return path


def peak_bytes(server: ServerProcess, *arguments: Path | str) -> int:
    """The most memory that the command had in use."""
    process = subprocess.Popen(command(server, *arguments), cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize(
    ("ending", "save", "n_images"),
    [
        ("npy", save_sparse, 400_000),
        ("jsonl", save_sparse, 80_000),
        ("csv", save_packed, 120_000),
    ],
)
def test_memory_does_not_grow_with_the_images(
    server: ServerProcess,
    tmp_path: Path,
    ending: str,
    save: Callable[[Path, int], Path],
    n_images: int,
) -> None:
    output = tmp_path / f"results.{ending}"
    few = peak_bytes(server, save(tmp_path / "few.gz", 3_000), "--output", output)
    many = peak_bytes(server, save(tmp_path / "many.gz", n_images), "--output", output)
    if ending == "npy":
        assert np.load(output, mmap_mode="r").shape == (n_images,)
    # Their pixels have 62 MB or more, their rows 16 MB or more; what is on its way, 5 MB at most.
    assert many - few < 12 * 1024 * 1024
