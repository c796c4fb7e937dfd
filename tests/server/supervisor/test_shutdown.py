"""A stop loses no accepted call."""

import signal
import threading
from pathlib import Path

import grpc
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import predict_method
from harness.server_process import HTTP_KILLED, mode, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest

LABELS = [7, 2, 1, 0, 4, 1, 4]
CALLS_BEFORE_THE_SIGNAL = 400


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, "2"), (signal.SIGINT, "1")])
def test_signal_under_load_loses_no_accepted_call(
    repository: Path,
    digits: tuple[Batch, Labels],
    number: signal.Signals,
    workers: str,
    lane: bool,
) -> None:
    answered: list[tuple[int, int]] = []
    refused: list[grpc.StatusCode] = []
    enough = threading.Event()

    def call_until_refused(caller: int) -> None:
        request = PredictRequest(pixels=digits[0][caller]).SerializeToString()
        options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.grpc_address, options=options) as channel:
            call = predict_method(channel)
            while True:
                try:
                    answered.append((caller, call(request, timeout=60).labels[0]))
                except grpc.RpcError as error:
                    refused.append(error.code())
                    return
                if len(answered) >= CALLS_BEFORE_THE_SIGNAL:
                    enough.set()

    callers = range(len(LABELS))
    with start_server(repository, "--workers", workers, *mode(lane)) as server:
        threads = [threading.Thread(target=call_until_refused, args=(n,)) for n in callers]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        assert server.terminate(number) == 0
        for thread in threads:
            thread.join()
    stopped = server.wait_for("stopped")
    # Whatever the server began it ended, and whatever it ended its caller has.
    assert stopped["calls_started"] == stopped["calls_handled"] == len(answered)
    # Whoever came after was refused; grpc says CANCELLED to those that were still in its queue.
    assert len(refused) == len(LABELS)
    assert set(refused) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert all(label == LABELS[caller] for caller, label in answered)
    assert len(answered) > CALLS_BEFORE_THE_SIGNAL


def test_signal_while_idle(repository: Path) -> None:
    with start_server(repository) as server:
        assert server.terminate() == 0
    events = [line["event"] for line in server.log if line["event"] != HTTP_KILLED]
    assert events == ["model loaded", "serving", "draining", "stopped"]
