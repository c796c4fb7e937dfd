"""New workers take the places of the old ones, or all end, and no client's call fails."""

import contextlib
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import http2
from harness.callers import load
from harness.calls import predict
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest

SERVICE = "mlpserve.v1.Classifier"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ROLLED = "mlpserve_worker_restarts_total"


def roll_under_load(server: ServerProcess, digits: tuple[Batch, Labels]) -> None:
    """Replace all workers while clients call, and fail unless each call has its answer."""
    old, before = server.workers, value(server, ROLLED, reason="rolled")
    with (
        load(server.grpc_address, digits, 4) as steady,
        load(server.grpc_address, digits, 2, reconnect=True) as changing,
    ):
        for load_ in (steady, changing):
            load_.go_on(50)
        server.process.send_signal(signal.SIGUSR2)
        server.wait_for("rolling restart done")
        for load_ in (steady, changing):
            load_.go_on(50)
    assert len(server.workers) == len(old)
    assert not set(server.workers) & set(old)
    assert value(server, ROLLED, reason="rolled") == before + len(old)
    steady.check()
    changing.check()


def test_two_workers_are_replaced_under_load(
    pair: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    roll_under_load(pair, digits)


def test_nobody_is_greeted_and_sent_away_at_once(pair: ServerProcess) -> None:
    over, greeted, errors = threading.Event(), Counter[int](), Counter[bytes]()

    def connect() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), http2.connect(pair.grpc_address) as connection:
                for frame in connection.frames():
                    if frame.kind == http2.GOAWAY:
                        errors[frame.content[4:]] += 1
                    if frame.kind == http2.GOAWAY or frame.flags & http2.ACKNOWLEDGED:
                        greeted[frame.kind] += 1
                        break

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        pair.process.send_signal(signal.SIGUSR2)
        pair.wait_for("rolling restart done")
    wait_for(lambda: greeted[http2.SETTINGS] > 100)
    over.set()
    for thread in threads:
        thread.join()
    # Zero is the code of those that may end what they have begun.
    assert {error for error in errors if error[:4] != bytes(4)} == set()


def test_a_single_worker_is_replaced_under_load(
    repository: Path, digits: tuple[Batch, Labels], lane: bool
) -> None:
    with start_server(repository, *mode(lane)) as server:
        roll_under_load(server, digits)
    stopped = server.wait_for("stopped")
    # Those of the workers that were replaced are among them.
    assert stopped["calls_started"] == stopped["calls_handled"] > 100


@pytest.mark.parametrize("kind", ["unix", "unix-abstract"])
def test_a_worker_on_a_socket_is_replaced_under_load(
    repository: Path, tmp_path: Path, digits: tuple[Batch, Labels], kind: str
) -> None:
    name = str(tmp_path / "s") if kind == "unix" else f"mlpserve-rolling-{os.getpid()}"
    with start_server(repository, "--grpc-address", f"{kind}:{name}") as server:
        roll_under_load(server, digits)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloading")
        os.kill(server.workers[0], signal.SIGKILL)
        server.wait_for("worker ready")
        if kind == "unix":
            roll_under_load(server, digits)
    assert not list(tmp_path.iterdir()), "no file is left"


def test_workers_stay_when_new_ones_can_not_start(
    pair: ServerProcess, own_repository: Path, tmp_path: Path
) -> None:
    old = pair.workers
    (own_repository / "digits").rename(tmp_path / "away")
    try:
        pair.process.send_signal(signal.SIGUSR2)
        given_up = pair.wait_for("rolling restart aborted, because the new worker did not start")
        assert "holds no model" in given_up["error"]
    finally:
        (tmp_path / "away").rename(own_repository / "digits")
    assert pair.workers == old
    assert value(pair, "mlpserve_workers_ready") == 2


def test_all_workers_drain_before_they_stop(
    repository: Path, digits: tuple[Batch, Labels], lane: bool
) -> None:
    arguments = ("--workers", "2", "--drain-delay-seconds", "600", *mode(lane))
    options = [("grpc.use_local_subchannel_pool", 1)]
    with start_server(repository, *arguments) as server:
        channels = [grpc.insecure_channel(server.grpc_address, options=options) for _ in range(8)]
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        watches = [health_pb2_grpc.HealthStub(channel).Watch(request) for channel in channels]
        for watch in watches:
            assert next(watch).status != NOT_SERVING
        with load(server.grpc_address, digits, 4) as running:
            server.process.terminate()
            for watch in watches:
                assert next(watch).status == NOT_SERVING
            assert httpx.get(f"http://{server.http_address}/readyz", timeout=60).status_code == 503
            assert httpx.get(f"http://{server.http_address}/healthz", timeout=60).status_code == 200
            running.go_on(200)
            for channel in channels:
                assert predict(channel, PredictRequest(pixels_u8=bytes(784))).labels
        running.check()
        # A second signal cuts the ten minutes of draining short.
        assert server.terminate() == 0
        assert [list(watch) for watch in watches] == [[]] * len(watches)
        for channel in channels:
            channel.close()
