"""--timing adds up what the server tells of each call, and says when it tells nothing."""

from pathlib import Path

import grpc
import numpy as np

from mlpserve.command.predict.parts import MAX_IMAGES
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving, classify, start_serving


def test_the_calls_are_added_up(tmp_path: Path) -> None:
    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> object:
        text = "queue;dur=0.5, run;dur=20, total;dur=1500"
        context.set_trailing_metadata((("server-timing", text),))
        return classify(request)

    images = save_npy(tmp_path / "images.npy", np.zeros((2 * MAX_IMAGES + 1, 784), np.uint8))
    with start_serving(answer) as serving:
        result = run(images, "--timing", "--address", serving.address)
        words = "3 calls took the server 4.5 s; decode 0 us, queue 1.5 ms, run 60 ms, encode 0 us"
        assert result.stderr == f"Timing: {words}\n"
        assert run(images, "--address", serving.address).stderr == ""


def test_an_older_server_tells_nothing(serving: Serving, tmp_path: Path) -> None:
    images = save_npy(tmp_path / "images.npy", np.zeros((1, 784), np.uint8))
    result = run(images, "--timing", "--address", serving.address)
    assert (result.stderr, result.exit_code) == ("Timing: the server reported none\n", 0)
