"""Several calls are in progress, and what goes wrong with one is mended if waiting mends it."""

import threading
from collections import Counter
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
from tests.mlpserve.serving import Answer, classify, read_batch, start_serving

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


BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED, 1
# gRPC tries four times by itself.
RESTARTING = grpc.StatusCode.UNAVAILABLE, 5
BROKEN = grpc.StatusCode.ABORTED, 1


def refuse_first(code: grpc.StatusCode, n_refusals: int) -> Answer:
    """An answer that refuses each call so many times."""
    asked: Counter[int] = Counter()
    lock = threading.Lock()

    def answer(request: Request, context: Context) -> object:
        number = round(255 * float(read_batch(request)[0, 700]))
        with lock:
            asked[number] += 1
        if asked[number] <= n_refusals:
            context.abort(code, "not now")
        return classify(request)

    return answer


@pytest.fixture
def numbered(images: Path) -> Path:
    """Images whose calls say which they are."""
    array = np.load(images)
    array.reshape(-1, 784)[::MAX_IMAGES, 700] = np.arange(20)
    return save_npy(images, array)


@pytest.mark.parametrize(("code", "n_refusals"), [BUSY, RESTARTING])
def test_a_server_that_can_not_answer_at_the_moment_is_asked_again(
    numbered: Path, monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode, n_refusals: int
) -> None:
    monkeypatch.setattr(asking, "PAUSES_SECONDS", (0.001, 0.001))
    with start_serving(refuse_first(code, n_refusals)) as serving:
        rows, errors = predict(numbered, "--address", serving.address)
    assert [row["index"] for row in rows] == list(range(20 * MAX_IMAGES))
    assert errors == ""


def test_other_errors_are_not_mended_by_waiting(numbered: Path) -> None:
    with start_serving(refuse_first(*BROKEN)) as serving:
        result = run(numbered, "--address", serving.address)
        assert len(serving.requests) == 1
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.endswith("answered ABORTED: not now")


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
