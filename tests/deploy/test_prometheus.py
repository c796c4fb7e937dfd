"""A real Prometheus with the shipped configuration reads a real server."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import grpc
import httpx
import pytest

from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.calls import BLACK, predict
from tests.server_process import ROOT, start_server

TARGET = "server:8080"
CALLS = 5
PROMETHEUS = shutil.which("prometheus")


def query(address: str, expression: str) -> list[str]:
    """Return the values that Prometheus has now."""
    answer = httpx.get(f"http://{address}/api/v1/query", params={"query": expression})
    return [series["value"][1] for series in answer.raise_for_status().json()["data"]["result"]]


@pytest.mark.skipif(
    not PROMETHEUS, reason="prometheus is not installed: apt-get install prometheus"
)
def test_calls_are_counted_exactly(repository: Path, tmp_path: Path) -> None:
    assert PROMETHEUS
    shipped = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    assert shipped.count(TARGET) == 1
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with start_server(repository) as server, grpc.insecure_channel(server.grpc_address) as channel:
        for _ in range(CALLS):
            predict(channel, PredictRequest(pixels=BLACK))
        config = tmp_path / "prometheus.yml"
        config.write_text(shipped.replace(TARGET, server.http_address))
        storage = f"--storage.tsdb.path={tmp_path / 'data'}"
        command = [PROMETHEUS, f"--config.file={config}", storage]
        with (tmp_path / "log").open("w") as log:
            prometheus = subprocess.Popen(
                [*command, f"--web.listen-address={address}"], stdout=log, stderr=log
            )
        try:
            expression = 'grpc_server_handled_total{grpc_method="Predict", grpc_code="OK"}'
            assert wait_for(prometheus, address, expression) == [str(CALLS)]
            assert query(address, 'up{job="mlpserve"}') == ["1"]
        finally:
            prometheus.terminate()
            prometheus.wait()


def wait_for(prometheus: "subprocess.Popen[bytes]", address: str, expression: str) -> list[str]:
    """Ask until there is an answer, for half a minute at most."""
    end = time.monotonic() + 30
    while time.monotonic() < end and prometheus.poll() is None:
        try:
            if values := query(address, expression):
                return values
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError("Prometheus has read nothing")


def test_ports_agree() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    assert f"{TARGET.partition(':')[2]}:8080" in compose
    assert "./deploy/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro" in compose
