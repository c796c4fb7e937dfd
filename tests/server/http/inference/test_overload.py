"""What is too much is turned away over HTTP as over gRPC, and told when to come again."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from harness.calls import predict_method
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.faults import SLOW, Runs
from tests.server.http.inference.asking import LENGTH, opened, post, tensor

LIMITS = ("--max-queued-images", "16", "--max-batch-size", "16")
INFER = f"/v2/models/{SLOW}/infer"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Holds the runs of the slow model in a server of one thread."""
    folder = tmp_path_factory.mktemp("runs") / "change"
    return Runs.of(folder, {"server.rpc.endpoint": "THREADS = 1"})


@pytest.fixture(scope="module")
def narrow(models: Path, runs: Runs) -> Iterator[ServerProcess]:
    """A server with room for few images, whose slow model can be held."""
    with start_server(models, *LIMITS, **runs.variables) as running:
        yield running


def ask(client: httpx.Client, n_images: int, timeout_microseconds: int = 0) -> httpx.Response:
    images = np.zeros((n_images, 784), np.uint8)
    parameters = {"timeout": timeout_microseconds}
    return post(client, {"inputs": [tensor(images, data=images)], "parameters": parameters}, INFER)


def test_a_deadline_that_passes_in_the_queue(narrow: ServerProcess, runs: Runs) -> None:
    message = PredictRequest(model=SLOW, pixels_u8=bytes(784)).SerializeToString()
    with opened(narrow) as client, grpc.insecure_channel(narrow.grpc_address) as channel:
        with runs.held():
            running = predict_method(channel).future(message, timeout=120)
            runs.wait_until_begun()
            late = ask(client, 1, timeout_microseconds=1000)
        assert running.result().labels
    assert (late.status_code, late.json()["code"]) == (504, "DEADLINE_EXCEEDED")


def test_a_full_queue(narrow: ServerProcess, runs: Runs) -> None:
    message = PredictRequest(model=SLOW, pixels_u8=bytes(784 * 16)).SerializeToString()
    with opened(narrow) as client, grpc.insecure_channel(narrow.grpc_address) as channel:
        with runs.held():
            call = predict_method(channel)
            running = call.future(message, timeout=120)
            runs.wait_until_begun()
            waiting = call.future(message, timeout=120)
            wait_for(lambda: value(narrow, "mlpserve_queued_images") == 16)
            refused = ask(client, 16)
        assert running.result().labels
        assert waiting.result().labels
    content = refused.json()
    assert (refused.status_code, content["code"]) == (429, "RESOURCE_EXHAUSTED")
    assert content["reason"] == "QUEUE_FULL"
    assert int(refused.headers["retry-after"]) >= 1
    assert LENGTH not in refused.headers


def test_a_batch_that_no_run_holds(narrow: ServerProcess) -> None:
    with opened(narrow) as client:
        refused = ask(client, 17)
    assert refused.status_code == 400
    assert "17 images" in refused.json()["error"]
