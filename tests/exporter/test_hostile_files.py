"""Files that were made to do harm, or damaged: read, or refused by the reader's own error."""

import contextlib
import gzip
import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as save_tensors

from exporter import importing, network
from exporter.commands.import_ import read_examples, read_lines
from exporter.export import graph
from exporter.importing.source import Choices
from exporter.network.network import NetworkError
from exporter.network.weights_file import WeightsError
from exporter.study import evaluation, records
from exporter.training import checkpoints, mnist
from harness.networks import random_network

W1, B1 = np.ones((2, 3), np.float32), np.zeros(2, np.float32)
TRAINING = {"images": "some"}
DEEP = "[" * 100_000 + "]" * 100_000
READERS: dict[str, tuple[Callable[[Path], object], tuple[type[Exception], ...]]] = {
    "weights": (network.load, (WeightsError,)),
    "import": (
        lambda path: importing.from_file(path, Choices("relu", "identity")),
        (WeightsError, NetworkError),
    ),
    "checkpoint": (lambda path: checkpoints.load(path, TRAINING), (checkpoints.CheckpointError,)),
    "examples": (read_examples, (WeightsError,)),
    "labels": (read_lines, (WeightsError,)),
    "idx": (mnist.read_idx, (mnist.MnistError,)),
    "onnx": (lambda path: graph.describe(path, graph.read(path)), (graph.ModelError,)),
}


def npz(**arrays: Any) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, **({"W1": W1, "b1": B1} | arrays))
    return packed.getvalue()


def members(**content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    return packed.getvalue()


def npy(header: str) -> bytes:
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)


def no_unicode(size: int) -> np.ndarray[Any, Any]:
    return np.full(size, 0x110000 + 5, np.uint32).view("<U1")


def bomb() -> bytes:
    """An archive that says of itself that it unpacks to 3 GiB."""
    content = bytearray(members(**{"W1.npy": npy("{}")}))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 3 * 2**30)
    return bytes(content)


def onnx(**metadata: str) -> bytes:
    model = graph.build(random_network((4, 3), seed=1))
    for entry in model.metadata_props:
        entry.value = metadata.get(entry.key, entry.value)
    return bytes(model.SerializeToString())


HOSTILE = {
    "nothing": b"",
    "deep provenance": npz(provenance=np.array('{"a":' + DEEP + "}")),
    "deep evaluation": npz(evaluation=np.array('{"a":' + "[" * 900 + "]" * 900 + "}")),
    "deep identity": npz(identity=np.array(DEEP), history=np.ones((1, 4))),
    "many digits": npz(provenance=np.array('{"a":' + "9" * 5000 + "}")),
    "a large number": npz(provenance=np.array('{"a":' + "9" * 400 + "}")),
    "no number": npz(provenance=np.array('{"a": NaN}')),
    "half a letter": npz(provenance=np.array('{"a": "\\ud800"}')),
    "half a letter as label": npz(
        labels=np.array(["a", "b"])
        .astype("U2")
        .view(np.uint32)
        .reshape(2, 2)
        .copy()
        .view("<U2")
        .reshape(2)
    ),
    "labels that are not Unicode": npz(labels=no_unicode(2)),
    "surrogates as labels": npz(labels=np.full(2, 0xD800, np.uint32).view("<U1")),
    "activations that are not Unicode": npz(activations=no_unicode(1)),
    "infinite history": npz(identity=np.array("{}"), history=np.full((1, 4), np.inf)),
    "objects": npz(a=np.array([{}], dtype=object)),
    "dates": npz(W1=np.zeros((2, 3), "M8[s]")),
    "records": npz(W1=np.zeros((2, 3), [("a", "f4")])),
    "complex": npz(W1=W1 * 1j),
    "texts": npz(W1=np.array([["a"] * 3] * 2)),
    "a long number": npz(**{"W" + "9" * 5000: W1}),
    "a name with line ends": npz(**{"W1\n\nb": W1}),
    "a shape of terabytes": members(
        **{"W1.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**6, 10**9)}")}
    ),
    "a large shape": members(
        **{"W1.npy": npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**15},)}}")}
    ),
    "a shape beyond integers": members(
        **{"W1.npy": npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**40},)}}")}
    ),
    "a negative shape": members(
        **{"W1.npy": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}")}
    ),
    "a deep header": members(**{"W1.npy": npy("(" * 4000 + ")" * 4000)}),
    "a header of signs": members(**{"W1.npy": npy("-" * 9000 + "1")}),
    "a bomb": bomb(),
    "lzma": b"".join([members(**{"W1.npy": b"x"})]).replace(b"\0\0\0\0", b"\0\0\x0e\0", 1),
    "no archive": b"PK\x03\x04" + bytes(100),
    "a safetensors header of gigabytes": struct.pack("<Q", 2**40) + b"{",
    "deep safetensors": struct.pack("<Q", 4000) + b"{" + b'"a":{' * 799 + b" " * 4,
    "safetensors with a large shape": struct.pack("<Q", 72)
    + json.dumps({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}})
    .ljust(72)
    .encode()
    + bytes(4),
    "no gzip": b"\x1f\x8b" + bytes(30),
    "cut gzip": gzip.compress(bytes(10_000))[:-4],
    "idx of many dimensions": b"\0\0\x08\xff" + bytes(2000),
    "idx of a large shape": b"\0\0\x08\x03" + b"\xff" * 12,
    "onnx with deep sizes": onnx(layer_sizes=DEEP),
    "onnx with large sizes": onnx(layer_sizes="[1e999, 3]"),
    "onnx with many digits": onnx(parameters="9" * 5000),
    "onnx with no examples": onnx(golden_pixels="%%%"),
    "no text": b"\xff\xfe\xfd" * 20,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_read_or_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    for suffix in ("", ".npz", ".npy", ".safetensors", ".onnx"):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(HOSTILE[kind])
        for read, errors in READERS.values():
            refused_or_read(path, read, errors)


def refused_or_read(
    path: Path, read: Callable[[Path], object], errors: tuple[type[Exception], ...]
) -> None:
    try:
        read(path)
    except errors as error:
        line = " ".join(str(error).split())
        assert 0 < len(line) < 20_000


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str, seed: int) -> None:
    images = b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 3) + bytes(range(18))
    whole = {
        "weights": npz(labels=np.array(["a", "b"]), provenance=np.array('{"a": 1}')),
        "import": [npz(), save_tensors({"a.weight": W1, "a.bias": B1})][seed % 2],
        "checkpoint": npz(
            identity=np.array(json.dumps(TRAINING)), history=np.ones((1, 4)), parameters_0=W1
        ),
        "examples": npz(),
        "labels": "a\nb\né".encode(),
        "idx": [images, gzip.compress(images)][seed % 2],
        "onnx": onnx(),
    }[name]
    read, errors = READERS[name]
    chance = random.Random(seed)
    path = tmp_path / "file"
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            content[chance.randrange(len(content))] = chance.choice((0, 255, chance.randrange(256)))
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        refused_or_read(path, read, errors)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(bomb())
    packed = gzip.compress(bytes(2**25))
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match="unpacks to 3221225472 bytes, wanted up to"):
            network.load(path)
        with pytest.raises(WeightsError, match="unpacks to 3221225472 bytes, wanted up to"):
            importing.from_file(path, Choices())
        monkeypatch.setattr(mnist, "MAX_BYTES", 2**20)
        monkeypatch.setattr(mnist, "BLOCK_BYTES", 2**16)
        path.write_bytes(packed)
        with pytest.raises(mnist.MnistError, match="unpacks to more than 1048576 bytes"):
            mnist.read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_evaluations_of_any_numbers_are_read_or_refused() -> None:
    good = {
        "split": "test",
        "labels": ["a", "b"],
        "confusion": [[1, 0], [0, 1]],
        "confidence": None,
        "mistakes": [],
        "robustness": None,
    }
    records.decode(good)
    odd: list[object] = [None, 1e999, float("nan"), "x", [], {}, [[1e999]], [[[]]], 10**400, [None]]
    for key in good:
        for value in odd:
            with contextlib.suppress(evaluation.EvaluationError):
                records.decode(good | {key: value})


def test_labels_that_are_no_unicode_make_no_network() -> None:
    its = random_network((4, 2), seed=1)
    with pytest.raises(NetworkError, match=r"labels: number 1, '\\ud800', is not Unicode"):
        network.Network(its.layers, ("a", "\ud800"))
