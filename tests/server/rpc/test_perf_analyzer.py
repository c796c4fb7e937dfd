"""Triton's perf_analyzer measures this server as it does its own."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.export import graph, publishing
from harness.networks import random_network
from harness.server_process import ServerProcess, start_server
from modelfile.input_range import FINITE
from tests.documents import pages
from tests.server.rpc import perf_analyzer
from tests.server.rpc.perf_analyzer import N_REQUESTS, Report

pytestmark = pytest.mark.usefixtures("needed")
ZEROS = ("--input-data", "zero")
RATE = ("--request-rate-range", "50")
"""Requests a second, of which each window has some; without it they follow each other."""

COMMAND = shlex.split(pages.block("docs/conformance.md", "perf_analyzer").text)
HEAD = ["perf_analyzer", "-m", "digits", "-u", "localhost:50051", "-i", "grpc", *ZEROS]

WAYS = {
    "as the page says": COMMAND[len(HEAD) :],
    "asynchronous": ("--async", "--concurrency-range", "4"),
    "streaming": ("--streaming", "--async", *RATE),
    "at a rate": RATE,
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
def test_images_are_measured(server: ServerProcess, way: str) -> None:
    assert COMMAND[: len(HEAD)] == HEAD
    check(perf_analyzer.analyze(server.grpc_address, "digits", *ZEROS, *WAYS[way]))


def test_batches_are_measured(server: ServerProcess) -> None:
    check(perf_analyzer.analyze(server.grpc_address, "digits", *ZEROS, *RATE, "-b", "8"), 8)


def test_its_random_bits_are_numbers_of_a_model_that_takes_all(tmp_path: Path) -> None:
    columns = replace(random_network((4, 5, 3)), input_range=FINITE)
    publishing.publish(graph.build(columns), tmp_path, "columns")
    with start_server(tmp_path) as server:
        check(perf_analyzer.analyze(server.grpc_address, "columns"))
