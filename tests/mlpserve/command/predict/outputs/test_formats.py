"""Each format tells of each image, in order, and of those that have no answer."""

import csv
import io
import json
from pathlib import Path

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from mlpserve.command.predict.outputs.npy import NpyOutput
from mlpserve.pictures.errors import NO_PICTURE
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving, classify, start_serving

Request = classifier_pb2.PredictRequest


@pytest.fixture
def images() -> npt.NDArray[np.float32]:
    """Three images: a 2 that could be a 6, one that no server takes, and a 5."""
    images = np.zeros((3, 784), np.float32)
    images[0, [2, 6]] = 0.8, 0.2
    images[1, 0] = np.nan
    images[2, 5] = 1
    return images


@pytest.fixture
def inputs(tmp_path: Path, images: npt.NDArray[np.float32]) -> list[Path]:
    """An array of these images, and a file that is none."""
    bad = tmp_path / "bad,\N{LATIN SMALL LETTER O WITH DIAERESIS}.png"
    bad.write_text("no picture")
    return [bad, save_npy(tmp_path / "images.npy", images)]


def refuse_nan(request: Request, context: grpc.ServicerContext) -> object:
    if np.isnan(np.array(request.pixels)).any():
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "pixel 0 is nan")
    return classify(request)


def write(inputs: list[Path], output: Path, *options: str) -> None:
    """Write the answers of a server that refuses one image to a file."""
    with start_serving(refuse_nan) as serving:
        result = run(*inputs, "--output", output, *options, "--address", serving.address)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"Error: {inputs[0]}: {NO_PICTURE}",
        f"Error: {inputs[1]}[1]: pixel 0 is nan",
    ]
    assert not list(output.parent.glob("*.part"))


def test_csv(inputs: list[Path], tmp_path: Path) -> None:
    write(inputs, tmp_path / "results.csv")
    text = (tmp_path / "results.csv").read_text("utf-8")
    bad, two, refused, five = csv.DictReader(io.StringIO(text))
    assert bad | {"image": str(inputs[0]), "error": NO_PICTURE} == bad
    assert {value for key, value in bad.items() if key not in ("image", "error")} == {""}
    assert two == {
        "image": str(inputs[1]),
        "index": "0",
        "label": "2",
        "name": "2",
        "activation": "0.8",
        **{f"activation_{k}": {2: "0.8", 6: "0.2"}.get(k, "0.0") for k in range(10)},
        "model": "pixels",
        "version": "3",
        "error": "",
    }
    assert (refused["index"], refused["label"], refused["error"]) == ("1", "", "pixel 0 is nan")
    assert (five["index"], five["name"]) == ("2", "5")
    assert text.count("\n") == 5
    assert "\r" not in text


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.ndjson", "R.JSON"])
def test_json(inputs: list[Path], tmp_path: Path, name: str) -> None:
    write(inputs, tmp_path / name)
    bad, two, refused, five = map(json.loads, (tmp_path / name).read_text().splitlines())
    assert bad == {"image": str(inputs[0]), "error": NO_PICTURE}
    assert refused == {"image": str(inputs[1]), "index": 1, "error": "pixel 0 is nan"}
    assert (two["image"], two["index"], two["label"]) == (str(inputs[1]), 0, 2)
    assert (five["index"], five["label"]) == (2, 5)


def test_the_option_json_leaves_out_what_has_no_answer(inputs: list[Path], tmp_path: Path) -> None:
    write(inputs, tmp_path / "results.jsonl", "--json")
    rows = list(map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines()))
    assert [row["label"] for row in rows] == [2, 5]


def test_npy(inputs: list[Path], tmp_path: Path, images: npt.NDArray[np.float32]) -> None:
    write(inputs, tmp_path / "results.npy")
    results = np.load(tmp_path / "results.npy", allow_pickle=False)
    assert results["label"].tolist() == [-1, 2, -1, 5]
    assert results["activations"].shape == (4, 10)
    np.testing.assert_array_equal(results["activations"][[1, 3]], images[[0, 2], :10])
    assert np.isnan(results["activations"][[0, 2]]).all()
    mapped = np.load(tmp_path / "results.npy", mmap_mode="r")
    assert mapped["label"].tolist() == [-1, 2, -1, 5]


@pytest.mark.parametrize("options", [(), ("--format", "text")])
def test_text(inputs: list[Path], tmp_path: Path, options: tuple[str, ...]) -> None:
    write(inputs, tmp_path / "results.txt", *options)
    assert (tmp_path / "results.txt").read_text("utf-8").splitlines() == [
        f"{inputs[0]}: no answer: {NO_PICTURE}",
        f"{inputs[1]}[0]: 2  activation 0.800, then 6 with 0.200  (pixels, version 3)",
        f"{inputs[1]}[1]: no answer: pixel 0 is nan",
        f"{inputs[1]}[2]: 5  activation 1.000, then 0 with 0.000  (pixels, version 3)",
    ]


@pytest.mark.parametrize("form", ["csv", "json", "text"])
def test_standard_output_has_the_same_rows(
    inputs: list[Path], tmp_path: Path, serving: Serving, form: str
) -> None:
    save_npy(inputs[1], np.zeros((700, 784), np.uint8))
    printed = run(inputs[1], "--format", form, "--address", serving.address)
    run(inputs[1], "--format", form, "--output", tmp_path / "x", "--address", serving.address)
    assert printed.stdout == (tmp_path / "x").read_text()
    assert len(printed.stdout.splitlines()) == 700 + (form == "csv")


@pytest.mark.parametrize("form", ["csv", "npy"])
def test_another_version_with_other_classes_has_no_place(tmp_path: Path, form: str) -> None:
    def rename(request: Request, _: grpc.ServicerContext) -> object:
        response = classify(request)
        if request.pixels_u8[0]:
            response.version, response.label_names[0] = 4, "zero"
        return response

    images = np.zeros((2, 784), np.uint8)
    images[1, 0] = 255
    inputs = [save_npy(tmp_path / f"{k}.npy", images[k]) for k in range(2)]
    output = tmp_path / f"results.{form}"
    with start_serving(rename) as serving:
        result = run(*inputs, "--output", output, "--address", serving.address)
    reason = (
        "the answer is by pixels, version 4, whose classes differ from the first rows'; give "
        "--version, or --format json"
    )
    assert result.stderr == f"Error: {inputs[1]}[0]: {reason}\n"
    assert result.exit_code == 1
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(output.read_text())))
        assert [row["error"] for row in rows] == ["", reason]
    else:
        assert np.load(output)["label"].tolist() == [0, -1]


@pytest.mark.parametrize("n_classes", [1, 2, 10, 1000])
def test_the_header_of_npy_has_one_length(n_classes: int) -> None:
    output = NpyOutput([str(k) for k in range(n_classes)])
    lengths = {len(output.header(n_rows)) for n_rows in (0, 1, 10**6, 10**18)}
    (length,) = lengths
    assert length % 64 == 0
    row = 4 + 4 * n_classes
    assert [output.count(n) for n in (0, length, length + row - 1, length + 3 * row)] == [
        0,
        0,
        0,
        3,
    ]


def test_names_of_classes_can_not_steer_the_terminal(tmp_path: Path) -> None:
    def rename(request: Request, _: grpc.ServicerContext) -> object:
        response = classify(request)
        response.model = "m\x1b[2J"
        return response

    image = save_npy(tmp_path / "image.npy", np.zeros(784, np.uint8))
    with start_serving(rename) as serving:
        for form in ("csv", "text", "json"):
            result = run(image, "--format", form, "--address", serving.address)
            assert result.exit_code == 0
            assert "\x1b" not in result.stdout
