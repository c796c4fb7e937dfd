"""Triton's perf_analyzer measures this server as it does its own."""

import pytest

from harness.server_process import ServerProcess
from tests.server.rpc import perf_analyzer
from tests.server.rpc.perf_analyzer import N_REQUESTS, Report

pytestmark = pytest.mark.usefixtures("needed")
ZEROS = ("--input-data", "zero")
WAYS = {
    "ordinary": (),
    "asynchronous": ("--async", "--concurrency-range", "4"),
    "streaming": ("--streaming", "--async"),
    "at a rate": ("--request-rate-range", str(N_REQUESTS)),
}


@pytest.fixture(scope="module")
def needed() -> None:
    perf_analyzer.need()


def check(report: Report, batch_size: int = 1) -> None:
    """What the server counts is that which was asked, up to requests at the window's ends."""
    assert report.requests >= N_REQUESTS, report.text
    assert 0 < report.executions <= report.successes, report.text
    assert report.inferences == batch_size * report.successes, report.text
    assert report.stages.keys() == set(perf_analyzer.STAGES)
    assert report.stages["compute infer"] > 0, report.text


@pytest.mark.parametrize("way", WAYS)
def test_images_are_measured(each_server: ServerProcess, way: str) -> None:
    check(perf_analyzer.analyze(each_server.grpc_address, "digits", *ZEROS, *WAYS[way]))


def test_batches_are_measured(each_server: ServerProcess) -> None:
    check(perf_analyzer.analyze(each_server.grpc_address, "digits", *ZEROS, "-b", "8"), 8)
