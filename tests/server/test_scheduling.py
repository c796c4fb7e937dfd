"""Threads are in batch scheduling as long as calls keep them busy, and nothing else does."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from benchmarks.load import cpu_seconds
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.server.calls import predict, predict_method
from tests.server.scrape import by_worker, value
from tests.server.waiting import wait_for
from tests.server_process import ServerProcess, start_server

DEAR = PredictRequest(model="digits", pixels_u8=bytes(784 * 1000)).SerializeToString()
"""Keeps the lane busier than its caller."""
SLOW = PredictRequest(model="wide", pixels_u8=bytes(784 * 4096)).SerializeToString()


def policies(server: ServerProcess) -> set[int]:
    """Return how gRPC's threads in the worker are scheduled."""
    (worker,) = server.workers
    found = set()
    for thread in Path(f"/proc/{worker}/task").iterdir():
        # They come and go.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            if (thread / "comm").read_text().strip() == "event_engine":
                found.add(os.sched_getscheduler(int(thread.name)))
    return found


@contextlib.contextmanager
def called(server: ServerProcess, message: bytes, in_flight: int) -> Iterator[None]:
    """Call over and over until the block ends."""
    ended = threading.Event()

    def call_on(channel: grpc.Channel) -> None:
        while not ended.is_set():
            predict_method(channel)(message, timeout=60)

    with grpc.insecure_channel(server.grpc_address) as channel:
        callers = [threading.Thread(target=call_on, args=(channel,)) for _ in range(in_flight)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            ended.set()
            for caller in callers:
                caller.join()


def test_busy_threads_interrupt_no_other(models: Path, lane: bool) -> None:
    if not lane:
        pytest.skip("without the lane calls are scheduled as ever")
    with start_server(models, "--max-batch-size", "1000") as server:
        assert policies(server) == {os.SCHED_OTHER}
        with called(server, DEAR, in_flight=4):
            used, begin = cpu_seconds(server.process.pid), time.monotonic()
            try:
                wait_for(lambda: policies(server) == {os.SCHED_BATCH})
            except AssertionError:
                used = cpu_seconds(server.process.pid) - used
                if used < 0.9 * (time.monotonic() - begin):
                    pytest.skip("callers and other programs leave the server less than a core")
                raise
        wait_for(lambda: policies(server) == {os.SCHED_OTHER})


def test_a_slow_run_makes_nobody_wait(models: Path) -> None:
    quick = PredictRequest(model="digits", pixels_u8=bytes(784))
    with (
        start_server(models) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        called(server, SLOW, in_flight=2),
    ):
        while value(server, "mlpserve_run_calls_count", model="wide") < 8:
            predict(channel, quick)
            assert policies(server) == {os.SCHED_OTHER}


def test_it_can_be_left_to_the_system(models: Path) -> None:
    arguments = ("--max-batch-size", "1000", "--scheduling", "normal")
    with start_server(models, *arguments) as server, called(server, DEAR, in_flight=4):
        while by_worker(server, "process_cpu_seconds_total")["0"] < 4:
            assert policies(server) == {os.SCHED_OTHER}
