"""Several processes share the port: all work, and callers do not notice what becomes of one."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.callers import load
from harness.calls import predict, reload
from harness.reloads import publish
from harness.scrape import by_worker, families, value
from harness.server_process import (
    ROOT,
    ServerProcess,
    command,
    environment,
    run_to_end,
    start_server,
)
from harness.waiting import wait_for
from mlpserve import Client
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import StartupError
from server.supervisor.ports import claim

IMAGE = PredictRequest(pixels_u8=bytes(784))
STARTED = {"name": "grpc_server_started_total", "grpc_method": "Predict"}


def restarts(server: ServerProcess, reason: str) -> float:
    return value(server, "mlpserve_worker_restarts_total", reason=reason)


def are_ready(server: ServerProcess, number: int) -> bool:
    return value(server, "mlpserve_workers_ready") == number


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be noticed does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_numpy_keeps_to_one_core(server: ServerProcess) -> None:
    (worker,) = server.workers
    variables = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    assert b"OPENBLAS_NUM_THREADS=1" in variables


def test_every_worker_gets_traffic(pair: ServerProcess) -> None:
    before = value(pair, **STARTED)
    for _ in range(60):
        # Channels of the same settings share a connection unless told otherwise.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(pair.grpc_address, options=options) as channel:
            assert predict(channel, IMAGE).labels
    counts = by_worker(pair, **STARTED)
    assert set(counts) == {"0", "1"}
    assert min(counts.values()) > 0
    assert sum(counts.values()) == before + 60


def test_clients_of_one_process_reach_every_worker(pair: ServerProcess) -> None:
    before = by_worker(pair, **STARTED)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(pair.grpc_address)) for _ in range(32)]
        for client in clients:
            assert len(client.predict(np.zeros(784, np.uint8))) == 1
    counts = by_worker(pair, **STARTED)
    assert [counts[worker] > before.get(worker, 0) for worker in ("0", "1")] == [True, True]


def test_the_parent_holds_neither_the_model_nor_grpc(pair: ServerProcess) -> None:
    def has(pid: int) -> set[str]:
        maps = Path(f"/proc/{pid}/maps").read_text()
        return {name for name in ("onnxruntime", "cygrpc", "numpy") if name in maps}

    assert has(pair.process.pid) == set()
    assert [has(pid) for pid in pair.workers] == [{"onnxruntime", "cygrpc", "numpy"}] * 2


def test_lines_of_workers_say_which(pair: ServerProcess) -> None:
    loaded = [line["worker"] for line in pair.log if line["event"] == "model loaded"]
    assert set(loaded[:2]) == {0, 1}
    (serving,) = (line for line in pair.log if line["event"] == "serving")
    assert serving["workers"] == 2


def test_one_page_of_metrics_for_all(pair: ServerProcess) -> None:
    assert set(by_worker(pair, "process_resident_memory_bytes")) == {"parent", "http", "0", "1"}
    assert set(by_worker(pair, "mlpserve_model_info")) == {"0", "1"}
    assert by_worker(pair, "mlpserve_worker_answered") == {"0": 1, "1": 1}
    assert value(pair, "mlpserve_workers") == value(pair, "mlpserve_workers_ready") == 2
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    page = httpx.get(f"http://{pair.http_address}/metrics", headers=accept, timeout=60).text
    assert page.endswith("# EOF\n")
    assert 'grpc_service="mlpserve.v1.Classifier",grpc_method="Predict"' in page
    assert 'worker="1"' in page


def test_reload_reaches_every_worker(pair: ServerProcess) -> None:
    pair.process.send_signal(signal.SIGHUP)
    assert {pair.wait_for("reloading")["worker"] for _ in range(2)} == {0, 1}


def test_an_admin_call_reaches_every_worker(tmp_path: Path) -> None:
    models, tokens = tmp_path / "models", tmp_path / "tokens"
    publish(models, 1)
    tokens.write_text("boss: 0123456789abcdef\n")
    arguments = ("--workers", "2", "--watch", "off", "--admin-tokens-file", str(tokens))
    with start_server(models, *arguments) as server:
        publish(models, 2)
        with grpc.insecure_channel(server.grpc_address) as channel:
            assert [part.error for part in reload(channel, "0123456789abcdef").parts] == ["", ""]
        assert by_worker(server, "mlpserve_model_info", version="2") == {"0": 1, "1": 1}


def test_signals_are_for_the_parent_alone(pair: ServerProcess) -> None:
    before = pair.workers
    for pid in before:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            os.kill(pid, number)
    with grpc.insecure_channel(pair.grpc_address) as channel:
        assert predict(channel, IMAGE).labels
    assert pair.workers == before
    assert value(pair, "mlpserve_workers_ready") == 2


def test_nobody_else_can_share_the_port(pair: ServerProcess) -> None:
    with pytest.raises(StartupError, match=f"gRPC can't listen on {pair.grpc_address}"):
        claim(pair.grpc_address, "--grpc-address")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        with pytest.raises(StartupError, match=f"gRPC can't listen on {address}"):
            claim(address, "--grpc-address")


def test_a_claim_keeps_others_away_before_anybody_listens() -> None:
    address, sockets = claim("localhost:0", "--grpc-address")
    with pytest.raises(StartupError, match=f"can't listen on {address}"):
        claim(address, "--grpc-address")
    with pytest.raises(StartupError, match=r"can't listen on 0\.0\.0\.0"):
        claim(f"0.0.0.0:{address.partition(':')[2]}", "--grpc-address")
    for held in sockets:
        held.close()
    _, sockets = claim(address, "--grpc-address")
    for held in sockets:
        held.close()


def test_the_port_can_be_had_again_at_once(repository: Path) -> None:
    with (
        start_server(repository, "--workers", "2") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        assert predict(channel, IMAGE).labels
        # The server hangs up first, so that the connection's rest stays on its side.
        assert server.terminate() == 0
    with start_server(repository, "--grpc-address", server.grpc_address) as again:
        assert again.grpc_address == server.grpc_address


def test_a_killed_worker_costs_no_client_a_call(
    pair: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    before = restarts(pair, "killed")
    with (
        load(pair.grpc_address, digits, 4) as steady,
        load(pair.grpc_address, digits, 2, reconnect=True) as changing,
    ):
        killed, other = pair.workers
        for load_ in (steady, changing):
            load_.go_on(50)
        os.kill(killed, signal.SIGKILL)
        for load_ in (steady, changing):
            load_.go_on(50)
        wait_for(lambda: restarts(pair, "killed") == before + 1 and are_ready(pair, 2))
        for load_ in (steady, changing):
            load_.go_on(50)
        assert other in pair.workers
        assert killed not in pair.workers
    ended = pair.wait_for("worker ended")
    assert (ended["reason"], ended["error"]) == ("killed", "it ended with signal 9")
    steady.check()
    changing.check()


def test_calls_on_other_workers_do_not_notice(pair: ServerProcess) -> None:
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    broken: list[list[grpc.StatusCode]] = [[] for _ in range(12)]
    answered = [0] * 12
    over = threading.Event()

    def call(index: int) -> None:
        while not over.is_set():
            try:
                predict(channels[index], IMAGE)
                answered[index] += 1
            except grpc.RpcError as error:
                broken[index].append(error.code())
                return

    def ends() -> list[int]:
        return [line["worker"] for line in pair.log if line["event"] == "worker ended"]

    ended = len(ends())
    with contextlib.ExitStack() as stack:
        channels, places = [], []
        for _ in range(12):
            channel = grpc.insecure_channel(pair.grpc_address, options=options)
            channels.append(stack.enter_context(channel))
            before = by_worker(pair, **STARTED)
            predict(channel, IMAGE)
            after = by_worker(pair, **STARTED)
            (place,) = (worker for worker in after if after[worker] > before.get(worker, 0))
            places.append(place)
        threads = [threading.Thread(target=call, args=(index,)) for index in range(12)]
        for thread in threads:
            thread.start()
        os.kill(pair.workers[0], signal.SIGKILL)
        wait_for(lambda: len(ends()) > ended)
        there = list(answered)
        wait_for(
            lambda: all(
                b or n > before for b, n, before in zip(broken, answered, there, strict=True)
            )
        )
        over.set()
        for thread in threads:
            thread.join()
    # Of those who called the killed one, whoever was between two calls has not noticed either.
    lost = {place for place, codes in zip(places, broken, strict=True) if codes}
    assert lost <= {str(ends()[-1])}
    assert {code for codes in broken for code in codes} <= {grpc.StatusCode.UNAVAILABLE}
    wait_for(lambda: are_ready(pair, 2))


def test_a_worker_that_hangs_is_replaced(pair: ServerProcess) -> None:
    hung, before = pair.workers[0], restarts(pair, "hung")
    os.kill(hung, signal.SIGSTOP)
    # A page that waits for it comes before it is replaced.
    (answers,), (memory,) = (
        [family.samples for family in page if family.name == name]
        for page in [families(pair)]
        for name in ("mlpserve_worker_answered", "process_resident_memory_bytes")
    )
    assert sorted(sample.value for sample in answers) == [0, 1]
    (there,) = (sample.labels["worker"] for sample in answers if sample.value)
    assert {sample.labels["worker"] for sample in memory} == {"parent", "http", there}
    assert httpx.get(f"http://{pair.http_address}/readyz", timeout=60).status_code == 200
    wait_for(lambda: restarts(pair, "hung") == before + 1 and are_ready(pair, 2))
    assert not is_alive(hung)
    assert by_worker(pair, "mlpserve_worker_answered") == {"0": 1, "1": 1}


def test_a_worker_that_can_not_start_again_is_tried_until_it_can(
    pair: ServerProcess, own_repository: Path, tmp_path: Path
) -> None:
    before, seen = restarts(pair, "failed"), len(pair.log)
    (own_repository / "digits").rename(tmp_path / "away")
    try:
        os.kill(pair.workers[0], signal.SIGKILL)
        wait_for(lambda: restarts(pair, "failed") >= before + 2)
        assert are_ready(pair, 1)
        assert httpx.get(f"http://{pair.http_address}/readyz", timeout=60).status_code == 200
    finally:
        (tmp_path / "away").rename(own_repository / "digits")
    wait_for(lambda: are_ready(pair, 2))
    ended = [line for line in pair.log[seen:] if line["event"] == "worker ended"]
    assert [line["reason"] for line in ended[:3]] == ["killed", "failed", "failed"]
    assert "holds no model" in ended[1]["error"]


def test_a_server_goes_on_with_the_worker_that_serves(repository: Path, tmp_path: Path) -> None:
    # Python runs this file at its start, before the worker: the first one lives, others are killed.
    crash = (
        "import os, pathlib, sys\nif 'server.worker' in sys.orig_argv:\n"
        f"    try:\n        pathlib.Path({str(tmp_path / 'first')!r}).touch(exist_ok=False)\n"
        "    except FileExistsError:\n        os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(crash)
    with (
        start_server(repository, "--workers", "2", PYTHONPATH=str(tmp_path)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        wait_for(lambda: restarts(server, "killed") >= 7)
        assert predict(channel, IMAGE).labels
        assert httpx.get(f"http://{server.http_address}/readyz", timeout=60).status_code == 200
        (tmp_path / "sitecustomize.py").unlink()
        wait_for(lambda: are_ready(server, 2))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_crashes_at_every_start_end_the_server(
    repository: Path, tmp_path: Path, workers: str
) -> None:
    # Python runs this file at its start, before the worker.
    crash = "import os, sys\nif 'server.worker' in sys.orig_argv: os.kill(os.getpid(), 11)\n"
    (tmp_path / "sitecustomize.py").write_text(crash)
    arguments = ("--workers", workers, "--repository", str(repository))
    ended = run_to_end(*arguments, PYTHONPATH=str(tmp_path))
    assert ended.returncode == 1
    (error,) = (line for line in ended.stderr.splitlines() if line.startswith("Error: "))
    assert "failed to start 5 times in a row; the last error: it ended with signal 11" in error
    assert "Traceback" not in ended.stderr


def test_workers_die_with_their_parent(repository: Path) -> None:
    with start_server(repository, "--workers", "2") as server:
        pids = server.workers
        assert len(pids) == 2
        server.process.kill()
        assert server.process.wait(60) == -signal.SIGKILL
        wait_for(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)]
)
def test_workers_that_still_start_end_with_their_parent(
    repository: Path, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    mark = tmp_path / "started"
    slow = (
        "import pathlib, sys, time\nif 'server.worker' in sys.orig_argv:\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(2)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(slow)
    arguments = command("--repository", str(repository), "--workers", "2")
    with subprocess.Popen(arguments, cwd=ROOT, env=environment(PYTHONPATH=str(tmp_path))) as parent:
        wait_for(mark.exists)
        pids = ServerProcess(parent).workers
        parent.send_signal(number)
        assert parent.wait(60) == exit_code
    assert pids
    wait_for(lambda: not any(map(is_alive, pids)))
