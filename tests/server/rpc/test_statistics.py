"""ModelStatistics are exact, whichever worker is asked and however calls came."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness.calls import error_info, predict, raw_method, stream_method, violation
from harness.scrape import by_worker
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.telemetry.predictions import MAX_EXACT_SIZE
from tests.server.faults import SLOW, Runs
from tests.server.modes import ON_THE_LANE
from tests.server.rpc.infer_calls import infer, raw_request
from tests.server.rpc.repository_calls import connections, statistics

Statistics = protocol.ModelStatistics

PARTS = ("queue", "compute_input", "compute_infer", "compute_output")


@pytest.fixture(scope="module")
def workers(models: Path, runs: Runs, lane: bool) -> Iterator[ServerProcess]:
    """Two workers with several models."""
    arguments = ("--workers", "2", "--versions", "latest 2", *mode(lane))
    with start_server(models, *arguments, **runs.variables) as running:
        yield running


def counts(of: Statistics) -> dict[str, int]:
    """All that is counted, and the sizes of runs."""
    its = of.inference_stats
    return {
        "success": its.success.count,
        "fail": its.fail.count,
        "images": of.inference_count,
        "runs": of.execution_count,
    } | {name: getattr(its, name).count for name in PARTS}


def difference(before: Statistics, after: Statistics) -> dict[str, int]:
    old = counts(before)
    return {name: count - old[name] for name, count in counts(after).items()}


def test_every_call_is_counted_once_whichever_worker_has_it_and_is_asked(
    workers: ServerProcess,
) -> None:
    image, images = np.full((1, 784), 0.5, np.float32), np.zeros((3, 784), np.uint8)
    started = int(time.time() * 1e3)
    with connections(workers.grpc_address) as channels:
        key = ("digits", "1")
        before = statistics(channels[0])[key]
        for channel in channels:
            infer(channel, raw_request(image, model_name="digits"))
            infer(channel, raw_request(images, model_name="digits"))
            predict(channel, PredictRequest(pixels_u8=bytes(784)))
            requests = [PredictRequest(pixels_u8=bytes(784)), PredictRequest(pixels=[2.0] * 784)]
            assert len(list(stream_method(channel)(iter(requests), timeout=60))) == 2
        calls = len(channels)
        started_by = by_worker(workers, "grpc_server_started_total", grpc_method="ModelInfer")
        assert len(started_by) == 2
        assert min(started_by.values()) > 0, "one worker has had all connections"
        afters = [statistics(channel)[key] for channel in channels]
        after = afters[0]
        assert all(other == after for other in afters)
    found = difference(before, after)
    assert found.pop("runs") == 5 * calls
    assert found.pop("images") == (1 + 3 + 1 + 1) * calls
    assert found.pop("fail") == calls
    assert found == dict.fromkeys(("success", *PARTS), 4 * calls)
    its = after.inference_stats
    assert its.success.ns == pytest.approx(sum(getattr(its, name).ns for name in PARTS), abs=1000)
    assert min(its.fail.ns, its.compute_infer.ns, its.compute_output.ns) > 0
    assert started <= after.last_inference <= time.time() * 1e3 + 1
    sizes = {batch.batch_size: batch.compute_infer.count for batch in after.batch_stats}
    old = {batch.batch_size: batch.compute_infer.count for batch in before.batch_stats}
    assert sizes[3] - old.get(3, 0) == calls
    assert sum(sizes.values()) == after.execution_count
    assert list(sizes) == sorted(sizes)
    for batch in after.batch_stats:
        assert batch.compute_input.count == batch.compute_infer.count == batch.compute_output.count


def test_which_versions_are_told_of(workers: ServerProcess) -> None:
    with grpc.insecure_channel(workers.grpc_address) as channel:
        everything = {("digits", "1"), ("small", "1"), ("small", "2"), (SLOW, "1")}
        assert statistics(channel).keys() == everything
        assert statistics(channel, "small").keys() == {("small", "1"), ("small", "2")}
        assert statistics(channel, "small", "1").keys() == {("small", "1")}
        (fresh,) = statistics(channel, "small", "1").values()
        assert (counts(fresh), fresh.last_inference) == (dict.fromkeys(counts(fresh), 0), 0)


@pytest.mark.parametrize(
    ("name", "version", "code", "words"),
    [
        ("letters", "", "NOT_FOUND", "model 'letters' is not loaded; name one of: digits, "),
        ("small", "3", "NOT_FOUND", "model 'small' has no version 3 loaded; ask for one of 1, 2"),
        ("small", "x!", "INVALID_ARGUMENT", "'x!' is not a version"),
        ("", "1", "INVALID_ARGUMENT", "name the model too, or leave it out"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(
    workers: ServerProcess, name: str, version: str, code: str, words: str
) -> None:
    with grpc.insecure_channel(workers.grpc_address) as channel:
        with pytest.raises(grpc.RpcError, match=words) as failed:
            statistics(channel, name, version)
        assert failed.value.code().name == code
        if code == "INVALID_ARGUMENT":
            assert "version" in violation(failed.value).field
        else:
            assert error_info(failed.value).reason.endswith("_NOT_FOUND")


def test_a_large_run_counts_as_the_next_power_of_two(workers: ServerProcess) -> None:
    images = np.zeros((MAX_EXACT_SIZE + 6, 4), np.float32)
    with grpc.insecure_channel(workers.grpc_address) as channel:
        for _ in range(2):
            infer(channel, raw_request(images, model_name="small", model_version="2"))
        (found,) = statistics(channel, "small", "2").values()
    assert [batch.batch_size for batch in found.batch_stats] == [2 * MAX_EXACT_SIZE]
    assert found.inference_count == 2 * len(images)


def test_what_fails_after_its_version_was_found_counts_as_its_failure(
    workers: ServerProcess, runs: Runs
) -> None:
    with grpc.insecure_channel(workers.grpc_address) as channel:
        (before,) = statistics(channel, SLOW).values()
        for request in (
            raw_request(np.zeros((1, 783), np.float32), model_name=SLOW),
            raw_request(np.full((1, 784), np.nan, np.float32), model_name=SLOW),
            raw_request(np.zeros((1, 784), np.float32), "no output", model_name=SLOW),
        ):
            with pytest.raises(grpc.RpcError):
                infer(channel, request)
        # These are nobody's.
        with pytest.raises(grpc.RpcError):
            infer(channel, raw_request(np.zeros((1, 784), np.float32), model_name="letters"))
        with pytest.raises(grpc.RpcError):
            predict(channel, b"no message")
        (after,) = statistics(channel, SLOW).values()
        found = difference(before, after)
        assert (found["fail"], found["success"], found["runs"]) == (3, 0, 1)
        assert after.inference_stats.fail.ns > before.inference_stats.fail.ns


@ON_THE_LANE
def test_a_call_that_expires_in_the_queue_counts_as_a_failure(
    workers: ServerProcess, runs: Runs
) -> None:
    message = raw_request(np.zeros((1, 784), np.float32), model_name=SLOW).SerializeToString()
    with grpc.insecure_channel(workers.grpc_address) as channel:
        call = raw_method(channel, "/inference.GRPCInferenceService/ModelInfer")
        (before,) = statistics(channel, SLOW).values()
        with runs.held():
            running = call.future(message, timeout=120)
            runs.wait_until_begun()
            with pytest.raises(grpc.RpcError, match="Deadline"):
                call(message, timeout=0.05)
            (during,) = statistics(channel, SLOW).values()
            assert during == before, "a run that goes on is counted when it ends"
        running.result()

        def expired() -> bool:
            (after,) = statistics(channel, SLOW).values()
            found = difference(before, after)
            return (found["fail"], found["success"]) == (1, 1)

        wait_for(expired)


def test_a_worker_that_does_not_answer_is_named_and_one_that_is_replaced_is_left_out(
    repository: Path,
) -> None:
    def start(channel: grpc.Channel) -> Any:
        return raw_method(channel, "/inference.GRPCInferenceService/ModelStatistics").future(b"")

    with (
        start_server(repository, "--workers", "2") as server,
        connections(server.grpc_address) as channels,
    ):
        for channel in channels:
            predict(channel, PredictRequest(pixels_u8=bytes(784)))
        stopped, other = server.workers
        os.kill(stopped, signal.SIGSTOP)
        try:
            asked = [start(channel) for channel in channels]
            wait_for(lambda: any(call.done() for call in asked))
            failed = next(call for call in asked if call.done())
            assert failed.code() is grpc.StatusCode.UNAVAILABLE
            assert "worker 0 has not answered within 2 s; ask again" in (failed.details() or "")
        finally:
            os.kill(stopped, signal.SIGKILL)
        wait_for(lambda: len({*server.workers} - {stopped}) == 2)
        server.wait_for("worker ready")
        with grpc.insecure_channel(server.grpc_address) as channel:
            (found,) = statistics(channel).values()
        assert 0 <= counts(found)["success"] < len(channels), "what it had counted is gone"
        assert other in server.workers
