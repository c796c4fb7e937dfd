"""What `export` reads, how it calls it, and whom it protects from surprises."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter import network
from exporter.export import graph
from harness.networks import random_network
from harness.server_process import ROOT
from modelfile.input_range import FINITE, PIXELS
from tests.exporter.commands.test_cli import refused, run


def test_the_network_that_ships_is_called_digits(tmp_path: Path) -> None:
    """As Makefile, Dockerfile and the containers' volumes have it."""
    result = run("export", "--repository", tmp_path)
    assert result.stdout == f"{tmp_path / 'digits' / '1' / 'model.onnx'}\n"


@pytest.mark.parametrize(
    ("file", "name"),
    [("my net (2).npz", "my-net-2"), ("_x.y.npz", "x.y"), ("-.npz", ""), ("é.npz", "")],
)
def test_a_model_is_called_as_its_file(tmp_path: Path, file: str, name: str) -> None:
    network.save(tmp_path / file, random_network((4, 3)))
    result = run("export", "--weights", tmp_path / file, "--repository", tmp_path / "models")
    if name:
        assert result.stdout == f"{tmp_path / 'models' / name / '1' / 'model.onnx'}\n"
    else:
        assert result.exit_code == 2
        assert f"--name: {file!r} gives none with a letter or digit; add one" in result.stderr
        assert not (tmp_path / "models").exists()


def test_weights_come_from_the_standard_input(tmp_path: Path) -> None:
    """As `kubectl exec` and `docker compose run` pass them on."""
    weights, where = tmp_path / "mine.npz", ("--repository", tmp_path)
    network.save(weights, random_network((4, 3)))
    command = (sys.executable, "-m", "exporter", "export", "--weights", "-", *where)
    for options, status in (((), 2), (("--name", "mine"), 0)):
        with weights.open("rb") as file:
            ended = subprocess.run([*command, *options], stdin=file, cwd=ROOT, capture_output=True)
        assert ended.returncode == status
        if status:
            assert b"--name: '-' gives none with a letter or digit; add one" in ended.stderr
    assert graph.read(tmp_path / "mine" / "1" / "model.onnx")
    assert "- is not an .npz file" in refused("export", "--weights", "-", "--name", "a", *where)


def test_weights_of_another_kind_are_converted_and_asked_for_activations(tmp_path: Path) -> None:
    weights, where = tmp_path / "mine.npz", ("--repository", tmp_path / "models")
    random = np.random.default_rng(0)
    shapes = {"W1": (5, 4), "b1": (5,), "W2": (3, 5), "b2": (3,)}
    arrays: dict[str, Any] = {key: random.standard_normal(shape) for key, shape in shapes.items()}
    np.savez(weights, **arrays)
    line = refused("export", "--weights", weights, *where)
    assert "activations is missing" in line
    assert "name one for each of the 2 layers: export --activations relu,softmax" in line
    result = run("export", "--weights", weights, *where, "--activations", "relu, softmax")
    assert result.exit_code == 0, result.output
    assert "Layers: 4 > 5 relu > 3 softmax\n" in result.stderr
    assert "W1: float64 was rounded to float32, by up to " in result.stderr
    card = run("inspect", tmp_path / "models" / "mine").stdout
    assert "4 > 5 relu > 3 softmax" in card
    assert "golden check     ok" in card
    arrays["b1"][0] = 1e300
    np.savez(weights, **arrays)
    line = refused("export", "--weights", weights, *where, "--activations", "relu,softmax")
    assert "b1 holds 1e+300 at [0], wanted numbers up to 3.402823e+38" in line


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"sizes": (5, 3)}, "5 inputs instead of 4 inputs"),
        ({"labels": ("a", "b", "d")}, "the labels a, b, d instead of the labels a, b, c"),
        ({"labels": ("b", "a", "c")}, "the labels b, a, c instead of the labels a, b, c"),
        ({"sizes": (4, 2), "labels": ("a", "b")}, "the labels a, b instead of the labels a, b, c"),
        ({"range": FINITE}, "finite numbers instead of numbers in [0, 1]"),
    ],
)
def test_callers_of_a_name_keep_their_inputs_and_labels(
    tmp_path: Path, other: dict[str, Any], told: str
) -> None:
    weights, repository = tmp_path / "mine.npz", tmp_path / "models"
    export = ("export", "--weights", weights, "--repository", repository)
    made = replace(random_network((4, 3)), labels=("a", "b", "c"))
    network.save(weights, made)
    assert run(*export).exit_code == 0
    # Other weights, layers and activations are a new version.
    network.save(weights, replace(random_network((4, 6, 3), seed=5), labels=made.labels))
    assert run(*export).exit_code == 0
    made = replace(
        random_network(other.get("sizes", (4, 3))),
        labels=other.get("labels", made.labels),
        input_range=other.get("range", PIXELS),
    )
    network.save(weights, made)
    line = refused(*export)
    assert f"name: mine is already a model, and its callers would find {told}" in line
    assert f"({repository / 'mine' / '2' / 'model.onnx'}); give another --name, or" in line
    assert not (repository / "mine" / "3").exists()
    assert run(*export, "--name", "other").exit_code == 0
    assert run(*export, "--incompatible").exit_code == 0
    assert (repository / "mine" / "3" / "model.onnx").is_file()
    # From now on callers know these.
    assert run(*export).exit_code == 0


@pytest.mark.parametrize("content", [None, b"", b"no ONNX"])
def test_what_no_server_serves_has_no_callers(tmp_path: Path, content: bytes | None) -> None:
    weights, repository = tmp_path / "mine.npz", tmp_path / "models"
    network.save(weights, random_network((4, 3)))
    folder = repository / "mine" / "1"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "model.onnx").write_bytes(content)
    result = run("export", "--weights", weights, "--repository", repository)
    assert result.exit_code == 0, result.output
    assert (repository / "mine" / "2" / "model.onnx").is_file()


def test_nothing_from_a_file_steers_the_terminal(tmp_path: Path) -> None:
    """Names and provenance from elsewhere, in cards, in tables and in errors."""
    unfit = "x\x1b[31m\x9b\u202ey"
    weights = tmp_path / "w.npz"
    network.save(weights, random_network((4, 3)), provenance={unfit: unfit})
    shown = run("inspect", weights)
    arrays: dict[str, Any] = {unfit: np.zeros((3, 4), np.float32)}
    np.savez(tmp_path / "bare.npz", **arrays)
    wrong = run("export", "--weights", tmp_path / "bare.npz")
    arrays = {f"{unfit}.weight": np.ones((3, 4)), f"{unfit}.bias": np.zeros(3)}
    np.savez(tmp_path / "named.npz", **arrays)
    activation = ("--output-activation", "softmax")
    read = run("import", tmp_path / "named.npz", "--output", tmp_path / "out.npz", *activation)
    model = graph.build(random_network((4, 3)))
    (entry,) = (entry for entry in model.metadata_props if entry.key == "labels")
    entry.value = json.dumps(["a", "b", unfit])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    labelled = run("inspect", tmp_path / "model.onnx")
    missing = run("inspect", tmp_path / f"{unfit}.npz")
    results = (shown, wrong, read, labelled, missing)
    assert [result.exit_code for result in results] == [0, 1, 0, 1, 1]
    assert "holds control characters" in labelled.stderr
    for result in results:
        assert not [letter for letter in "\x1b\x9b\u202e" if letter in result.output]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfone\ntwo\nthree",
        b"one\r\ntwo\r\nthree\r\n\r\n",
        b"one\rtwo\rthree\r",
        b" one \ntwo\t\nthree\n\n \n",
        "one\ntwo\nthree\n".encode("utf-16"),
    ],
)
def test_labels_as_editors_write_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    np.savez(tmp_path / "bare.npz", W1=np.eye(3, 4), b1=np.zeros(3))
    out = tmp_path / "out.npz"
    options = ("--labels-file", tmp_path / "labels.txt", "--output", out)
    result = run("import", tmp_path / "bare.npz", "--output-activation", "softmax", *options)
    assert result.exit_code == 0, result.output
    assert network.load(out).network.labels == ("one", "two", "three")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one\n\nthree\n", "number 1 is empty"),
        (b"one\ntwo\none \n", "number 2, 'one', is that of number 0 too"),
        (b"one\ntwo\nth\x1b[2Jree", "number 2, 'th\\x1b[2Jree', holds control characters"),
        ("one\ntwo\nth\u202eree".encode(), "number 2, 'th\\u202eree', holds control"),
        ("\u00e9\ne\u0301\nthree".encode(), "number 1, 'e\\u0301', is that of number 0 too"),
    ],
)
def test_labels_that_nobody_can_use(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    np.savez(tmp_path / "bare.npz", W1=np.eye(3, 4), b1=np.zeros(3))
    options = ("--labels-file", tmp_path / "labels.txt", "--output", tmp_path / "out.npz")
    line = refused("import", tmp_path / "bare.npz", "--output-activation", "softmax", *options)
    assert f"labels: {message}" in line
    assert not (tmp_path / "out.npz").exists()
