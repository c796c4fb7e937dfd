"""HTTP's process calls the gRPC port: wherever that is, and whatever becomes of it."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import grpc
import httpx
import pytest

from harness.calls import predict
from harness.scrape import value
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.http import grpc_port
from server.http.aside import LARGE_BYTES, aside
from tests.server.faults import HOLD, SLOW, Runs, write_faults

PIXELS = {"pixels": [0.5] * 784}
BLACK = b'{"pixels": [%s]}' % b",".join([b"0"] * 784)
PROXY = "http://127.0.0.1:1"
"""Where nobody is."""

PATIENCE_SECONDS = 60


def connect(server: ServerProcess) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://{server.http_address}", timeout=PATIENCE_SECONDS, trust_env=False
    )


@pytest.mark.parametrize(
    "address",
    ["unix:{folder}/grpc.sock", "unix-abstract:{folder}", "0.0.0.0:0", "[::]:0", "localhost:0"],
)
def test_it_is_called_wherever_it_is(repository: Path, tmp_path: Path, address: str) -> None:
    if "[" in address and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy"), PROXY)
    where = ("--grpc-address", address.format(folder=tmp_path))
    with (
        start_server(repository, *where, no_proxy="", **proxies) as server,
        connect(server) as client,
    ):
        assert client.post("/v1/predict", json=PIXELS).json()["labels"] == [8]


@pytest.fixture(scope="module")
def held(
    repository: Path, runs: Runs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server whose slow model can be held."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("digits", SLOW):
        shutil.copytree(repository / "digits", folder / name)
    arguments = ("--log-calls", "1", "--max-message-bytes", "100000")
    with start_server(folder, *arguments, **runs.variables) as server:
        yield server


SLOWLY = f"/v1/models/{SLOW}/predict"


def test_headers_go_along(held: ServerProcess) -> None:
    with connect(held) as client:
        assert client.post(
            "/v1/predict", json=PIXELS, headers={"x-request-id": "http-1"}
        ).is_success
    wait_for(lambda: any(line.get("request_id") == "http-1" for line in held.log))


def test_a_deadline_ends_a_call(held: ServerProcess, runs: Runs) -> None:
    with runs.held(), connect(held) as client:
        late = client.post(SLOWLY, json=PIXELS, headers={"grpc-timeout": "50m"})
        assert late.status_code == 504
        assert late.json()["code"] == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("text", ["1", "m", "1s", "-1S", "0m", "123456789S", "1.5S", "nonsense"])
def test_a_deadline_that_is_no_time_is_refused(held: ServerProcess, text: str) -> None:
    with connect(held) as client:
        refused = client.post("/v1/predict", json=PIXELS, headers={"grpc-timeout": text})
    assert refused.status_code == 400
    assert refused.json()["violations"][0]["field"] == "grpc-timeout"


def test_a_message_that_is_too_large_is_refused(held: ServerProcess) -> None:
    with connect(held) as client:
        refused = client.post("/v1/predict", json={"pixels": [[0] * 784] * 200})
    assert refused.status_code == 413
    assert refused.json()["reason"] == "MESSAGE_BYTES"
    assert "--max-message-bytes" in refused.json()["error"]


def cancelled(server: ServerProcess) -> float:
    return value(server, "grpc_server_handled_total", grpc_method="Predict", grpc_code="Canceled")


def test_calls_end_when_their_callers_leave(held: ServerProcess, runs: Runs) -> None:
    before = cancelled(held)
    with runs.held(), connect(held) as client:
        with contextlib.ExitStack() as stack:
            for _ in range(grpc_port.MAX_CALLS):
                leaving = HTTPConnection(held.http_address)
                stack.callback(leaving.close)
                leaving.request("POST", SLOWLY, BLACK)
            wait_for(lambda: client.get("/v1/models").status_code == 429)
        # Once they have left there is room for others, though no run has ended.
        wait_for(lambda: client.get("/v1/models").status_code == 200)
        for _ in range(grpc_port.CONNECTIONS):
            # What follows the end of those calls on each connection.
            assert client.get("/v1/models").status_code == 200
        runs.release()
        wait_for(lambda: cancelled(held) > before)
        assert client.post(SLOWLY, json=PIXELS).status_code == 200
    assert [line for line in held.log if line.get("process") == "http"] == []


def test_calls_in_progress_are_bounded_and_hinder_no_probe(held: ServerProcess, runs: Runs) -> None:
    async def flood() -> list[int]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=f"http://{held.http_address}", timeout=PATIENCE_SECONDS, limits=limits
        ) as client:

            async def post() -> int:
                return (await client.post(SLOWLY, json=PIXELS)).status_code

            posts = [asyncio.create_task(post()) for _ in range(grpc_port.MAX_CALLS + 8)]
            # The excess is refused while all others are held.
            while sum(task.done() for task in posts) < 8:
                await asyncio.sleep(0.01)
            assert (await client.get("/readyz")).status_code == 200
            refused = await client.get("/v1/models")
            assert refused.json()["reason"] == "TOO_MANY_CALLS"
            assert refused.headers["retry-after"] == "1"
            runs.release()
            return [await task for task in posts]

    with runs.held():
        statuses = asyncio.run(flood())
    assert statuses.count(429) == 8
    assert statuses.count(200) == grpc_port.MAX_CALLS


def test_http_that_is_killed_takes_no_call_of_grpc_along(held: ServerProcess, runs: Runs) -> None:
    (old,) = held.http
    with runs.held(), contextlib.ExitStack() as stack:
        for _ in range(4):
            opened = HTTPConnection(held.http_address)
            stack.callback(opened.close)
            opened.request("POST", SLOWLY, BLACK)
        runs.wait_until_begun()
        with grpc.insecure_channel(held.grpc_address) as channel:
            os.kill(old, signal.SIGKILL)
            assert predict(channel, PredictRequest(pixels_u8=bytes(784))).labels
            wait_for(lambda: held.http not in ([], [old]))
            assert predict(channel, PredictRequest(pixels_u8=bytes(784))).labels
    with connect(held) as client:
        assert client.post("/v1/predict", json=PIXELS).status_code == 200


def test_a_worker_that_is_gone_is_said_and_found_again(repository: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(repository, models)
    path = write_faults(tmp_path / "faults")
    with start_server(models, PYTHONPATH=path) as server, connect(server) as client:
        assert client.post("/v1/predict", json=PIXELS).status_code == 200
        # The next one does not get to its end.
        (models / "digits" / "1" / HOLD).touch()
        os.kill(server.workers[0], signal.SIGKILL)
        gone = client.post("/v1/predict", json=PIXELS)
        assert gone.status_code == 503
        assert gone.headers["retry-after"] == "1"
        assert gone.json()["code"] == "UNAVAILABLE"
        (models / "digits" / "1" / HOLD).unlink()
        wait_for(lambda: client.post("/v1/predict", json=PIXELS).status_code == 200)


def test_workers_are_replaced_without_a_failure(repository: Path) -> None:
    statuses: list[int] = []
    over = threading.Event()

    with start_server(repository, "--workers", "2") as server, connect(server) as client:

        def call() -> None:
            while not over.is_set():
                statuses.append(client.post("/v1/predict", json=PIXELS).status_code)

        thread = threading.Thread(target=call)
        thread.start()
        try:
            server.process.send_signal(signal.SIGUSR2)
            server.wait_for("rolling restart done")
        finally:
            over.set()
            thread.join()
    assert set(statuses) == {200}


def test_calls_are_answered_during_a_drain(repository: Path) -> None:
    with start_server(repository, "--drain-delay-seconds", "600") as server:
        with connect(server) as client:
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("draining")
            wait_for(lambda: client.get("/readyz").status_code == 503)
            assert client.post("/v1/predict", json=PIXELS).status_code == 200
        # A second signal cuts the drain delay short.
        assert server.terminate() == 0


def test_what_is_large_is_worked_on_elsewhere() -> None:
    async def threads() -> list[int]:
        return [await aside(size, threading.get_ident) for size in (LARGE_BYTES, LARGE_BYTES + 1)]

    small, large = asyncio.run(threads())
    assert small == threading.get_ident() != large
