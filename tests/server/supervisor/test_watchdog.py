"""A worker that has stopped answering is replaced, whatever its other threads still answer."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from harness.calls import BLACK, predict, predict_method
from harness.changes import write_changes
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest

CHANGE = """
import sys, time

def read_request(message, patient=True, read=read_request):
    if b"block the lane" in message:
        while True:
            time.sleep(1)
    if b"end the lane" in message:
        sys.exit()
    return read(message, patient)
"""


@pytest.fixture(scope="module")
def fragile(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose lane a caller can block and end."""
    folder = tmp_path_factory.mktemp("fragile") / "change"
    path = write_changes(folder, {"server.rpc.classifier": CHANGE})
    with start_server(repository, "--worker-timeout-seconds", "6", PYTHONPATH=path) as running:
        yield running


@pytest.mark.parametrize(
    ("model", "reason"), [("block the lane", "hung"), ("end the lane", "exited")]
)
def test_a_worker_without_its_lane_is_replaced(
    fragile: ServerProcess, model: str, reason: str
) -> None:
    restarts = {"name": "mlpserve_worker_restarts_total", "reason": reason}
    restarted = value(fragile, **restarts)
    with grpc.insecure_channel(fragile.grpc_address) as channel:
        assert predict(channel, PredictRequest(pixels=BLACK)).labels
        (before,) = fragile.workers
        lost = predict_method(channel).future(
            PredictRequest(model=model, pixels=BLACK).SerializeToString(), timeout=120
        )
        # Its end is what the caller sees, not its own deadline.
        assert lost.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        wait_for(lambda: value(fragile, **restarts) > restarted)
        wait_for(
            lambda: (
                httpx.get(f"http://{fragile.http_address}/readyz", timeout=60).status_code == 200
            )
        )
        wait_for(lambda: is_answered(channel))
        assert before not in fragile.workers


def is_answered(channel: grpc.Channel) -> bool:
    try:
        return bool(predict(channel, PredictRequest(pixels=BLACK)).labels)
    except grpc.RpcError:
        return False
