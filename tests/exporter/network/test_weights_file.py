"""Weights files: what is saved comes back, in the same bytes, and wrong files are explained."""

import json
import re
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter import network
from exporter.files import write_file
from exporter.network.weights_file import Provenance
from harness.networks import random_batch, random_network
from modelfile.input_range import FINITE, PIXELS, InputRange

Arrays = dict[str, Any]


def arrays() -> Arrays:
    """The required content of the file of a network 4-3-2."""
    random = np.random.default_rng(0)
    shapes = {"W1": (3, 4), "b1": (3,), "W2": (2, 3), "b2": (2,)}
    content: Arrays = {
        key: random.standard_normal(shape).astype(np.float32) for key, shape in shapes.items()
    }
    return {**content, "activations": np.array(["tanh", "softmax"])}


def load(folder: Path, content: Arrays) -> network.Saved:
    """Load a file that numpy.savez wrote."""
    np.savez(folder / "weights.npz", **content)
    return network.load(folder / "weights.npz")


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    original = random_network((5, 4, 3), ("selu", "softmax"))
    provenance: Provenance = {
        "test accuracy": 0.975,
        "seed": 7,
        "optimizer": "AdamW, β₁ = 0.9",
    }
    examples = random_batch(8, 5)
    evaluation = {"accuracy": 0.5, "confusion": [[1, 1], [0, 0]], "labels": ["β", ""]}
    path = tmp_path / "weights.npz"
    network.save(path, original, examples=examples, provenance=provenance, evaluation=evaluation)
    saved = network.load(path)
    for found, wanted in zip(saved.network.layers, original.layers, strict=True):
        np.testing.assert_array_equal(found.weights, wanted.weights)
        np.testing.assert_array_equal(found.biases, wanted.biases)
        assert found.activation == wanted.activation
    assert saved.network.labels == original.labels
    assert saved.provenance == provenance
    assert saved.examples is not None
    np.testing.assert_array_equal(saved.examples, examples)
    assert saved.evaluation == evaluation
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.parametrize("given", [PIXELS, FINITE, InputRange(-1, 1)])
def test_the_range_of_inputs_comes_back(tmp_path: Path, given: InputRange) -> None:
    path = tmp_path / "weights.npz"
    examples = given.at(random_batch(8, 5))
    network.save(path, replace(random_network((5, 4, 3)), input_range=given), examples=examples)
    saved = network.load(path)
    assert saved.network.input_range == given
    np.testing.assert_array_equal(saved.examples, examples)
    with np.load(path) as stored:
        assert ("input_range" in stored.files) == (given != PIXELS)
    assert network.load(path, FINITE).network.input_range == FINITE


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ([-1, 1], InputRange(-1, 1)),
        (np.array([-0.5, 8], np.float32), InputRange(-0.5, 8)),
        ("[-1, 1]", InputRange(-1, 1)),
        ("finite", FINITE),
        (["finite"], FINITE),
    ],
)
def test_ranges_that_numpy_wrote(tmp_path: Path, value: Any, wanted: InputRange) -> None:
    assert load(tmp_path, {**arrays(), "input_range": value}).network.input_range == wanted


def test_keys_are_those_documented(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    network.save(
        path,
        random_network((3, 2, 2)),
        examples=random_batch(1, 3),
        provenance={"seed": 1},
        evaluation={"accuracy": 0.5},
    )
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == [
            "W1",
            "b1",
            "W2",
            "b2",
            "activations",
            "labels",
            "provenance",
            "examples",
            "evaluation",
        ]
        assert archive["W1"].shape == (2, 3)
        assert archive["activations"].tolist() == ["sigmoid", "sigmoid"]
        assert json.loads(str(archive["provenance"])) == {"seed": 1}
        assert json.loads(str(archive["evaluation"])) == {"accuracy": 0.5}


def test_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    network.save(first, random_network(), provenance={"seed": 1})
    network.save(second, random_network(), provenance={"seed": 1})
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    network.save(second, random_network(seed=1), provenance={"seed": 1})
    assert first.read_bytes() != second.read_bytes()


def test_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    network.save(path, random_network((3, 2)))
    before = path.read_bytes()
    with pytest.raises(network.WeightsError, match="examples has numbers from 0 to 2"):
        network.save(path, random_network((3, 2)), examples=np.array([[0, 1, 2]], np.float32))
    with pytest.raises(
        network.WeightsError, match="provenance is not a JSON object of texts and numbers"
    ):
        network.save(path, random_network((3, 2)), provenance={"accuracy": float("nan")})
    with pytest.raises(network.WeightsError, match="evaluation holds a number that is not finite"):
        network.save(path, random_network((3, 2)), evaluation={"accuracy": float("nan")})
    with pytest.raises(TypeError):
        write_file(path, "text")  # type: ignore[arg-type]  # fails after the file is open
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]


def test_defaults_of_a_bare_file(tmp_path: Path) -> None:
    saved = load(tmp_path, arrays())
    assert [layer.activation for layer in saved.network.layers] == ["tanh", "softmax"]
    assert saved.network.labels == ("0", "1")
    assert saved.notes == ()
    assert saved.provenance == {}
    assert saved.examples is None
    assert saved.evaluation is None


def test_names_of_neurons(tmp_path: Path) -> None:
    names = np.array(["edge", "loop", "\N{GREEK SMALL LETTER PI}"])
    saved = load(tmp_path, arrays() | {"names1": names})
    assert saved.neuron_names == (("edge", "loop", "\N{GREEK SMALL LETTER PI}"),)
    network.save(tmp_path / "again.npz", saved.network, neuron_names=saved.neuron_names)
    assert network.load(tmp_path / "again.npz").neuron_names == saved.neuron_names
    assert load(tmp_path, arrays()).neuron_names == ((),)


def test_compressed_and_fortran_ordered_arrays_are_read(tmp_path: Path) -> None:
    content: Arrays = arrays()
    turned: Arrays = {key: np.asfortranarray(array) for key, array in content.items()}
    np.savez_compressed(tmp_path / "weights.npz", **turned)
    saved = network.load(tmp_path / "weights.npz")
    np.testing.assert_array_equal(saved.network.layers[0].weights, content["W1"])


def replaced(array: np.ndarray, value: float) -> np.ndarray:
    copy = array.copy()
    copy[1] = value
    return copy


GOOD = arrays()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"W1": None},
            "W1 is missing; found W2, activations, b1, b2, wanted W1, b1, W2, b2 and so on",
        ),
        ({"b2": None}, "b2 is missing; found W1, W2, activations, b1"),
        (
            {"W2": None, "b2": None, "W3": GOOD["W2"], "b3": GOOD["b2"]},
            "W2 is missing; found W1, W3, activations, b1, b3",
        ),
        ({"W9999": GOOD["W2"]}, "W3 is missing"),
        ({"w3": GOOD["W2"]}, "w3 is an unknown key; known are W1, b1, W2, b2, ..., activations"),
        (
            {"names1": np.array(["a", "b"])},
            "names1 is <U1 (2,), wanted text (3,), one for each neu",
        ),
        ({"names1": np.array(["a", "b", "a"])}, "names1: number 2, 'a', is that of number 0 too"),
        ({"names2": np.array(["a", "b"])}, "names2 is an unknown key"),
        (
            {"W1": GOOD["W1"].T},
            "W1 has shape (4, 3), wanted (3, n_in): a row for each of b1's 3 neurons; it looks "
            "transposed: save W1.T",
        ),
        (
            {"W2": GOOD["W2"].T},
            "W2 has shape (3, 2), wanted (2, 3): a row for each of b2's 2 neurons, a column for "
            "each of the 3 neurons of layer 1; it looks transposed: save W2.T",
        ),
        ({"W2": np.zeros((2, 5), np.float32)}, "W2 has shape (2, 5), wanted (2, 3)"),
        ({"W1": np.zeros(12, np.float32)}, "W1 has shape (12,), wanted (3, n_in)"),
        ({"W1": np.zeros((3, 0), np.float32)}, "W1 has shape (3, 0), wanted (3, n_in)"),
        (
            {"b1": np.zeros((3, 1), np.float32)},
            "b1 has shape (3, 1), wanted (n_out,): one bias a neuron",
        ),
        ({"b1": np.float32(0)}, "b1 has shape (), wanted (n_out,)"),
        (
            {"W1": GOOD["W1"].astype(np.complex64)},
            "W1 holds complex64, wanted float32; convert it with astype",
        ),
        ({"b2": np.array(["1", "2"])}, "b2 holds <U1, wanted float32; convert it with astype"),
        ({"b2": np.array([True, False])}, "b2 holds bool, wanted float32; convert it with"),
        (
            {"b2": np.array([1, -127], np.int8)},
            "b2 holds int8, wanted float32; multiply what is quantised by its scale",
        ),
        ({"b2": np.array([1, 2], np.uint16)}, "b2 holds uint16, wanted float32; multiply what"),
        (
            {"b2": np.array([2**24 + 1, 0])},
            "b2 holds int64 up to 16777217, which float32 can't tell apart; scale them down",
        ),
        (
            {"W1": np.full((3, 4), 1e39)},
            "W1 holds 1e+39 at [0, 0], wanted numbers up to 3.402823e+38, the largest float32",
        ),
        ({"W1": np.full((3, 4), np.inf)}, "W1 holds inf at [0, 0], wanted finite numbers"),
        (
            {"activations": None},
            "activations is missing, and with others the same weights are another network; name "
            "one for each of the 2 layers: export --activations relu,softmax, or, in the file, ",
        ),
        ({"b1": replaced(GOOD["b1"], np.nan)}, "b1 holds nan at [1], wanted finite numbers"),
        ({"W2": replaced(GOOD["W2"], -np.inf)}, "W2 holds -inf at [1, 0], wanted finite numbers"),
        ({"W1": np.array([{}, {}])}, "W1 can't be read: Object arrays cannot be loaded"),
        (
            {"activations": ["relu"]},
            "activations is <U4 (1,), wanted text (2,), one for each layer",
        ),
        (
            {"activations": ["relu", "swish"]},
            "activations has 'swish', wanted one of sigmoid, relu",
        ),
        ({"labels": ["a", "b", "c"]}, "labels is <U1 (3,), wanted text (2,), one for each output"),
        ({"labels": [[1, 2]]}, "labels is int64 (1, 2), wanted text (2,)"),
        ({"labels": ["a", ""]}, "labels has an empty text"),
        ({"labels": ["a", "\ufeff "]}, "labels has an empty text"),
        ({"labels": ["a", "a"]}, "labels: number 1, 'a', is that of number 0 too; give each"),
        ({"labels": ["a", " a\t"]}, "labels: number 1, 'a', is that of number 0 too"),
        ({"labels": [3.0, 3]}, "labels: number 1, '3', is that of number 0 too"),
        ({"labels": [3.0, np.nan]}, "labels holds nan, wanted texts or finite numbers"),
        ({"labels": [1j, 2]}, "labels holds 1j, wanted texts or numbers"),
        ({"labels": [b"a", b"\xff"]}, "labels holds b'\\xff', which is not UTF-8"),
        ({"labels": ["a", "b\x1b[31m"]}, "labels: number 1, 'b\\x1b[31m', holds control char"),
        ({"labels": ["a", "b\u202ec"]}, "labels: number 1, 'b\\u202ec', holds control char"),
        ({"labels": ["a", "b" * 300]}, "labels: number 1, 'bbbbbbbbbbbbbbbbbbbb', has more than"),
        ({"provenance": "{"}, "provenance is not JSON"),
        ({"provenance": "[1]"}, "provenance is not a JSON object"),
        ({"provenance": '{"a": {}}'}, "provenance is not a JSON object of texts and numbers"),
        ({"evaluation": "{"}, "evaluation is not JSON"),
        ({"evaluation": "[1]"}, "evaluation is not a JSON object"),
        ({"evaluation": '{"a": [1e999]}'}, "evaluation holds a number that is not finite"),
        (
            {"input_range": [1, 0]},
            "input_range: '1,0' is not an input range; wanted finite, or [low,",
        ),
        ({"input_range": [0.0, np.nan]}, "input_range: '0.0,nan' is not an input range"),
        ({"input_range": [0.0, np.inf]}, "input_range: '0.0,inf' is not an input range"),
        ({"input_range": 7}, "input_range: '7' is not an input range"),
        ({"input_range": "any"}, "input_range: 'any' is not an input range"),
        ({"input_range": [0, 1, 2]}, "input_range is int64 (3,), wanted low and high, or the text"),
        ({"input_range": [True, False]}, "input_range is bool (2,), wanted low and high"),
        ({"examples": np.zeros((2, 5), np.float32)}, "examples has shape (2, 5), wanted (E, 4)"),
        ({"examples": np.zeros((0, 4), np.float32)}, "examples has shape (0, 4), wanted (E, 4)"),
        ({"examples": np.zeros((2, 4), np.uint8)}, "examples holds uint8, wanted float32"),
        (
            {"examples": np.full((1, 4), 255, np.float32)},
            "examples has numbers from 255 to 255, wanted numbers in [0, 1]; if the network takes "
            "others, say so with input_range, --input-range on the command line",
        ),
        (
            {"input_range": [-1, 1], "examples": np.full((1, 4), 2, np.float32)},
            "examples has numbers from 2 to 2, wanted numbers in [-1, 1]",
        ),
    ],
)
def test_wrong_content_is_explained(tmp_path: Path, change: Arrays, message: str) -> None:
    content = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(network.WeightsError, match=re.escape(f"{tmp_path}/weights.npz: {message}")):
        load(tmp_path, content)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (GOOD["W2"].astype(np.float64), "W2: float64 became float32, without a change"),
        (GOOD["W2"].astype(np.float64) * 1.1, "W2: float64 was rounded to float32, by up to "),
        (GOOD["W2"].astype(np.float16), "W2: float16 became float32, without a change"),
        (GOOD["W2"].astype(np.longdouble), "W2: float"),
        (GOOD["W2"].astype(">f8"), "W2: >f8 became float32, without a change"),
        (np.array([[1, -2, 0], [3, 2**24, -7]]), "W2: int64 became float32, without a change"),
        (np.ones((2, 3), np.uint32), "W2: uint32 became float32, without a change"),
        (np.full((2, 3), 1e-300), "W2: float64 was rounded to float32, by up to 1e-300"),
    ],
)
def test_other_numbers_become_float32(tmp_path: Path, values: np.ndarray, note: str) -> None:
    saved = load(tmp_path, {**GOOD, "W2": values})
    (found,) = saved.notes
    assert found.startswith(note)
    np.testing.assert_array_equal(saved.network.layers[1].weights, values.astype(np.float32))
    examples = np.linspace(0, 1, 8).reshape(2, 4)
    found_examples = load(tmp_path, {**GOOD, "examples": examples}).examples
    np.testing.assert_array_equal(found_examples, examples.astype(np.float32))


@pytest.mark.parametrize(
    "labels",
    [
        [b"a", b"3"],
        np.array(["\ufeffa", "3 "]),
        np.array([" a", "3\r\n"]),
        np.array(["a\x00", "3"], "S4"),
    ],
)
def test_labels_are_texts_without_what_surrounds_them(tmp_path: Path, labels: Any) -> None:
    assert load(tmp_path, {**GOOD, "labels": labels}).network.labels == ("a", "3")


@pytest.mark.parametrize("labels", [[3, 8], [3.0, 8.0], np.array([3, 8], np.uint8), ["3", "8"]])
def test_labels_that_are_numbers(tmp_path: Path, labels: Any) -> None:
    assert load(tmp_path, {**GOOD, "labels": labels}).network.labels == ("3", "8")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["relu", "softmax"], ["relu", "relu", "softmax"]),
        (["relu", "tanh", "softmax"], ["relu", "tanh", "softmax"]),
        (["relu"], None),
        (["relu"] * 4, None),
        (["swish", "softmax"], None),
    ],
)
def test_activations_that_are_given(
    tmp_path: Path, given: list[str], wanted: list[str] | None
) -> None:
    path = tmp_path / "weights.npz"
    network.save(path, random_network((5, 4, 3, 2)))
    if wanted is None:
        with pytest.raises(network.WeightsError, match="activations "):
            network.load(path, activations=given)
    else:
        layers = network.load(path, activations=given).network.layers
        assert [layer.activation for layer in layers] == wanted


@pytest.mark.parametrize("content", [b"", b"not an npz", b"\x93NUMPY\x01\x00", b"\x80\x04N."])
def test_file_that_is_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(network.WeightsError, match=r"weights\.npz is not an \.npz file"):
        network.load(path)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with pytest.raises(network.WeightsError, match="can't be read: No such file"):
        network.load(path)
    network.save(path, random_network((40, 3)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(network.WeightsError, match=r"is not an \.npz file"):
        network.load(path)
    # The header and 480 bytes of weights come first: one turned bit in their middle.
    path.write_bytes(whole[:400] + bytes([whole[400] ^ 1]) + whole[401:])
    with pytest.raises(network.WeightsError, match="W1 can't be read: Bad CRC-32"):
        network.load(path)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (6, 99, "the archive can't be read: zip file version 9.9"),
        (8, 1, "W1 can't be read: File 'W1.npy' is encrypted"),
        (10, 99, "W1 can't be read: That compression method is not supported"),
    ],
)
def test_archives_that_nobody_reads(tmp_path: Path, offset: int, value: int, message: str) -> None:
    path = tmp_path / "weights.npz"
    network.save(path, random_network((4, 3)))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(content)
    with pytest.raises(network.WeightsError, match=re.escape(message)):
        network.load(path)


@pytest.mark.parametrize(
    ("header", "explained"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), ", "EOF in multi-line"),
        ("{'descr': ',f4', 'fortran_order': False, 'shape': (3, 4)}", "invalid syntax"),
        ("{b'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}", "'<' not supported"),
        (f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**17},)}}", "Unable to allocate"),
    ],
)
def test_damaged_headers(tmp_path: Path, header: str, explained: str) -> None:
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + f"{header}\n".encode()
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as archive:
        archive.writestr("W1.npy", member)
    with pytest.raises(network.WeightsError, match=f"W1 can't be read: .*{explained}"):
        network.load(tmp_path / "weights.npz")
