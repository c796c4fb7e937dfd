"""Several calls are in progress, and what goes wrong with one is mended if waiting mends it."""

import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from mlpserve.command.predict import asking
from mlpserve.command.predict.asking import N_IN_FLIGHT
from mlpserve.command.predict.parts import MAX_IMAGES
from mlpserve.command.predict.running import MAX_LOST
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.command.predict.test_arrays import make_images, predict
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import classify, read_batch, start_serving

Request = classifier_pb2.PredictRequest
Context = grpc.ServicerContext


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images for 20 calls."""
    return save_npy(tmp_path / "images.npy", make_images(20 * MAX_IMAGES))


def test_calls_are_in_progress_together_and_answers_in_order(images: Path) -> None:
    array = make_images((1 + 5 * N_IN_FLIGHT) * MAX_IMAGES)
    array[0, 1, 0] = 255
    save_npy(images, array)
    together = threading.Barrier(N_IN_FLIGHT, timeout=60)

    def answer(request: Request, _: Context) -> object:
        # But for the first, nobody is answered until others are there.
        if not read_batch(request)[0, 28]:
            together.wait()
        return classify(request)

    with start_serving(answer) as serving:
        rows, _ = predict(images, "--address", serving.address)
    assert [row["index"] for row in rows] == list(range(len(array)))
    assert all(row["label"] == row["index"] % 10 for row in rows)


def test_the_version_that_answers_first_is_asked_for_all(images: Path) -> None:
    versions = iter(range(7, 1000))

    def answer(request: Request, _: Context) -> object:
        response = classify(request)
        if not request.version:
            # A new one for each call that names none.
            response.version = next(versions)
        return response

    with start_serving(answer) as serving:
        rows, _ = predict(images, "--address", serving.address)
        asked = [(request.model, request.version) for request in serving.requests]
    assert asked == [("", 0)] + [("pixels", 7)] * 19
    assert {row["version"] for row in rows} == {7}


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED])
def test_a_server_with_too_much_to_do_is_asked_again(
    images: Path, monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode
) -> None:
    monkeypatch.setattr(asking, "PAUSES_SECONDS", (0.001,))
    asked: set[int] = set()
    lock = threading.Lock()

    def answer(request: Request, context: Context) -> object:
        number = round(255 * float(read_batch(request)[0, 700]))
        with lock:
            is_first = number not in asked
            asked.add(number)
        if is_first:
            context.abort(code, "not now")
        return classify(request)

    # The calls say which they are.
    array = np.load(images)
    array.reshape(-1, 784)[::MAX_IMAGES, 700] = np.arange(20)
    save_npy(images, array)
    with start_serving(answer) as serving:
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            rows, errors = predict(images, "--address", serving.address)
            assert (len(rows), errors) == (20 * MAX_IMAGES, "")
        else:
            result = run(images, "--address", serving.address)
            assert result.exit_code == 1
            assert "ABORTED: not now" in result.stderr


def test_a_server_that_is_lost_ends_the_command(images: Path, tmp_path: Path) -> None:
    n_answered = 5
    lost = threading.Event()
    counter = iter(range(1000))

    def answer(request: Request, context: Context) -> object:
        if next(counter) >= n_answered:
            lost.set()
            context.abort(grpc.StatusCode.INTERNAL, "lost")
        return classify(request)

    output = tmp_path / "results.csv"
    with start_serving(answer) as serving:
        result = run(images, "--output", output, "--address", serving.address)
        assert len(serving.requests) <= n_answered + MAX_LOST + N_IN_FLIGHT
    assert lost.is_set()
    assert result.exit_code == 1
    *_, last, where = result.stderr.splitlines()
    assert last.startswith(f"{output}.part has the ")
    assert where.startswith(f"Error: the last {MAX_LOST} calls failed; ")
    assert not output.exists()
    rows = (tmp_path / "results.csv.part").read_text().splitlines()
    answered = [row for row in rows[1:] if row.endswith(",pixels,3,")]
    assert len(answered) == n_answered * MAX_IMAGES
    assert all(row.count(",") == rows[0].count(",") for row in answered)
