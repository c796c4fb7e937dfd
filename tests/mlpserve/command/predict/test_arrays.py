"""Arrays of images go to the server as they are, in parts, and each image has its row."""

import json
import os
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mlpserve.command.predict.parts import MAX_IMAGES
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_idx, save_npy
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Answer, Serving, classify, read_batch, start_serving

Request = classifier_pb2.PredictRequest
Context = grpc.ServicerContext


def make_images(n: int) -> npt.NDArray[np.uint8]:
    """Images (n, 28, 28) whose labels are 0, 1, 2 and so on, and 0 again after 9."""
    images = np.zeros((n, 28, 28), np.uint8)
    images[np.arange(n), 0, np.arange(n) % 10] = 255
    return images


def predict(*arguments: str | Path, status: int = 0) -> tuple[list[dict[str, Any]], str]:
    """The objects that the command prints as JSON lines, and what it says on standard error."""
    result = run(*arguments, "--format", "json")
    assert result.exit_code == status, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


IMAGES = make_images(23)
FORMS: dict[str, npt.NDArray[Any]] = {
    "bytes": IMAGES,
    "flat": IMAGES.reshape(23, 784),
    "bool": IMAGES > 0,
    "float16": (IMAGES / 255).astype(np.float16),
    "float32": (IMAGES / 255).astype(np.float32),
    "float64": IMAGES / 255,
    "big-endian": (IMAGES / 255).astype(">f4"),
    "Fortran": np.asfortranarray(IMAGES),
    "Fortran, flat": np.asfortranarray(IMAGES.reshape(23, 784) / 255),
}


@pytest.mark.parametrize("form", FORMS)
def test_npy(tmp_path: Path, serving: Serving, form: str) -> None:
    path = save_npy(tmp_path / "images.npy", FORMS[form])
    rows, errors = predict(path, "--address", serving.address)
    assert errors == ""
    assert [row["label"] for row in rows] == [number % 10 for number in range(23)]
    assert [row["index"] for row in rows] == list(range(23))
    assert {row["image"] for row in rows} == {str(path)}
    assert rows[3]["activations"] == {str(k): float(k == 3) for k in range(10)}
    (request,) = serving.requests
    assert bool(request.pixels_u8) == (FORMS[form].dtype in (np.uint8, np.bool_))


@pytest.mark.parametrize("image", [IMAGES[7], IMAGES[7:8], IMAGES[7].ravel()])
def test_one_image(tmp_path: Path, serving: Serving, image: npt.NDArray[np.uint8]) -> None:
    path = save_npy(tmp_path / "seven.npy", image)
    (row,), _ = predict(path, "--address", serving.address)
    assert (row["label"], row["index"]) == (7, 0)


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"])
def test_idx(tmp_path: Path, serving: Serving, name: str) -> None:
    path = save_idx(tmp_path / name, IMAGES)
    rows, _ = predict(path, "--address", serving.address)
    assert [row["label"] for row in rows] == [number % 10 for number in range(23)]


def test_many_images_go_in_parts(tmp_path: Path, serving: Serving) -> None:
    n = 3 * MAX_IMAGES + 5
    path = save_npy(tmp_path / "images.npy", make_images(n))
    rows, _ = predict(path, "--address", serving.address)
    assert [row["index"] for row in rows] == list(range(n))
    assert [row["label"] for row in rows] == [number % 10 for number in range(n)]
    # They are in progress together, and arrive in any order.
    assert sorted(len(read_batch(request)) for request in serving.requests) == [
        5,
        *3 * [MAX_IMAGES],
    ]


def test_options_are_sent(tmp_path: Path, serving: Serving) -> None:
    path = save_npy(tmp_path / "images.npy", IMAGES)
    options = ("--model", "other", "--version", "8", "--hidden", "--canonicalize")
    rows, _ = predict(path, *options, "--address", serving.address)
    (request,) = serving.requests
    assert (request.model, request.version) == ("other", 8)
    assert (request.hidden_activations, request.canonicalize) == (True, True)
    assert rows[0]["hidden_layers"] == [[0, 0, 0]]


def test_text_has_a_line_for_each_image(tmp_path: Path, serving: Serving) -> None:
    path = save_npy(tmp_path / "images.npy", IMAGES)
    result = run(path, "--address", serving.address)
    first, *others = result.stdout.splitlines()
    assert first == f"{path}[0]: 0  activation 1.000, then 1 with 0.000  (pixels, version 3)"
    assert len(others) == 22


def test_images_of_another_size_are_not_sent(tmp_path: Path, serving: Serving) -> None:
    good = save_npy(tmp_path / "good.npy", IMAGES)
    small = save_npy(tmp_path / "small.npy", IMAGES[:, :20])
    rows, errors = predict(good, small, "--address", serving.address, status=1)
    reason = (
        "has the shape (23, 20, 28): images of 20 x 28 pixels, and those of the model have 784; "
        "wanted (N, 784) or (N, rows, columns)"
    )
    assert errors == f"Error: {small}: {reason}\n"
    assert rows[-1] == {"image": str(small), "error": reason}
    assert len(rows) == 24
    assert len(serving.requests) == 1


def test_what_is_wrong_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    def refuse(_: Request, context: Context) -> None:
        context.abort(grpc.StatusCode.INTERNAL, "sent")

    bad = [tmp_path / "cut.npy", tmp_path / "gone.npy", tmp_path / "small.npy"]
    save_npy(bad[0], IMAGES).write_bytes(bad[0].read_bytes()[:-1])
    save_npy(bad[2], IMAGES[:, 1:])
    good = save_npy(tmp_path / "good.npy", IMAGES)
    with start_serving(refuse) as serving:
        result = run(good, *bad, "--address", serving.address)
    *lines, last = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == list(map(str, bad))
    assert last.endswith("answered INTERNAL: sent")


def test_arrays_that_can_not_be_read_ask_no_server(tmp_path: Path, silent_address: str) -> None:
    path = save_npy(tmp_path / "objects.npy", np.array([None, {}], object))
    rows, errors = predict(path, "--address", silent_address, status=1)
    assert [row["image"] for row in rows] == [str(path)]
    assert errors.startswith(f"Error: {path}: holds Python objects")


def test_pictures_and_arrays_in_order(tmp_path: Path, serving: Serving) -> None:
    picture = tmp_path / "4.png"
    Image.fromarray(make_images(5)[4]).save(picture)
    array = save_npy(tmp_path / "array.npy", IMAGES[:2])
    rows, _ = predict(picture, array, picture, "--address", serving.address)
    assert [row["label"] for row in rows] == [4, 0, 1, 4]
    assert [row.get("index") for row in rows] == [None, 0, 1, None]


def refuse_bright(limit: int) -> Answer:
    """An answer that refuses requests with an image whose pixel 20 is bright, or many images."""

    def answer(request: Request, context: Context) -> object:
        batch = read_batch(request)
        bad = np.flatnonzero(batch[:, 20] > 0.5)
        if len(bad):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"image {bad[0]} is too bright")
        if len(batch) > limit:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{len(batch)} images are too many")
        return classify(request)

    return answer


def test_an_image_that_the_server_refuses_fails_alone(tmp_path: Path) -> None:
    images = make_images(1000)
    images[[17, 700, 701], 0, 20] = 255
    path = save_npy(tmp_path / "images.npy", images)
    with start_serving(refuse_bright(1000)) as serving:
        rows, errors = predict(path, "--address", serving.address, status=1)
    assert [row["index"] for row in rows] == list(range(1000))
    failed = {row["index"]: row["error"] for row in rows if "error" in row}
    assert failed == dict.fromkeys((17, 700, 701), "image 0 is too bright")
    assert errors.splitlines() == [
        f"Error: {path}[17]: image 0 is too bright",
        f"Error: {path}[700] to [701]: image 0 is too bright",
    ]


def test_a_server_that_takes_fewer_images_gets_fewer(tmp_path: Path) -> None:
    path = save_npy(tmp_path / "images.npy", make_images(MAX_IMAGES + 7))
    with start_serving(refuse_bright(100)) as serving:
        rows, errors = predict(path, "--address", serving.address)
    assert [row["label"] for row in rows] == [number % 10 for number in range(MAX_IMAGES + 7)]
    assert errors == ""


def test_an_array_that_is_refused_as_a_whole_ends_early(tmp_path: Path) -> None:
    def refuse(request: Request, context: Context) -> None:
        number = int(255 * read_batch(request)[0].sum())
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"image 0 has a pixel of {number}")

    images = np.zeros((4 * MAX_IMAGES, 784), np.uint8)
    images[:, 0] = np.arange(len(images)) % 256
    path = save_npy(tmp_path / "images.npy", images)
    output = tmp_path / "results.csv"
    with start_serving(refuse) as serving:
        result = run(path, "--output", output, "--address", serving.address)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: none of these {MAX_IMAGES} images can be answered; the first: image 0 has a "
        "pixel of 0\n"
    )
    assert not list(tmp_path.glob("results*"))


def test_a_small_array_costs_the_next_one_no_answer(tmp_path: Path) -> None:
    dark, bright = make_images(20), make_images(20)
    bright[:, 0, 20] = 255
    paths = [save_npy(tmp_path / "bright.npy", bright), save_npy(tmp_path / "dark.npy", dark)]
    with start_serving(refuse_bright(1000)) as serving:
        rows, errors = predict(*paths, "--address", serving.address, status=1)
    assert ["error" in row for row in rows] == [True] * 20 + [False] * 20
    assert errors == f"Error: {paths[0]}[0] to [19]: image 0 is too bright\n"


def test_dark_bytes_raise_a_doubt_once(tmp_path: Path, serving: Serving) -> None:
    images = (np.arange(2 * MAX_IMAGES * 784) % 3 == 0).reshape(-1, 784)
    path = save_npy(tmp_path / "images.npy", images.astype(np.uint8))
    _, errors = predict(path, "--address", serving.address)
    (line,) = errors.splitlines()
    assert line.startswith(f"Warning: {path}: images are uint8 of 0 and 1")


def test_an_array_on_standard_input(tmp_path: Path, serving: Serving) -> None:
    content = save_npy(tmp_path / "images.npy", IMAGES).read_bytes()
    result = run("-", "--address", serving.address, input=content)
    assert result.stderr == "Error: -: holds an array; give the name of its file instead of -\n"
    assert result.exit_code == 1


def test_a_gzipped_file_is_checked_before_anything_of_it_is_sent(
    tmp_path: Path, serving: Serving
) -> None:
    path = save_idx(tmp_path / "images.gz", make_images(2 * MAX_IMAGES))
    path.write_bytes(path.read_bytes()[:-4])
    rows, errors = predict(path, "--address", serving.address, status=1)
    (row,) = rows
    assert "is damaged or truncated gzip" in row["error"]
    assert errors == f"Error: {path}: {row['error']}\n"
    assert not serving.requests


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_file_that_is_cut_meanwhile_has_all_its_rows(tmp_path: Path, is_gone: bool) -> None:
    path = save_npy(tmp_path / "images.npy", make_images(3 * MAX_IMAGES + 5))
    other = save_npy(tmp_path / "other.npy", make_images(2))

    def answer(request: Request, _: Context) -> object:
        # The first call is alone.
        if is_gone:
            other.unlink(missing_ok=True)
        else:
            os.truncate(path, 128 + 784 * MAX_IMAGES)
        return classify(request)

    with start_serving(answer) as serving:
        rows, errors = predict(path, other, "--address", serving.address, status=1)
    failed = [row for row in rows if "error" in row]
    if is_gone:
        assert failed == [{"image": str(other), "error": "no such file or directory"}]
        assert errors == f"Error: {other}: no such file or directory\n"
    else:
        assert [row["index"] for row in failed] == list(range(MAX_IMAGES, 3 * MAX_IMAGES + 5))
        assert {row["error"] for row in failed} == {"was cut while it was read"}
        assert len(errors.splitlines()) == 3


def test_a_model_that_takes_no_pictures_says_so_first(tmp_path: Path, serving: Serving) -> None:
    array = save_npy(tmp_path / "array.npy", IMAGES)
    picture = tmp_path / "4.png"
    Image.fromarray(IMAGES[4]).save(picture)
    for last in (picture, tmp_path):
        result = run(array, last, "--side", "20", "--address", serving.address)
        assert result.exit_code == 1
        assert (
            "takes 784 numbers; --side 20 makes images of 20 x 20 = 400; give --side 28"
            in result.stderr
        )
    assert not serving.requests
