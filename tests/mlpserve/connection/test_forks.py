"""Clients and forks: children get answers over connections of their own or a clear error, and the
parent's connections last.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from harness.server_process import ROOT, environment
from harness.waiting import PATIENCE_SECONDS
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.connection import forking
from tests.mlpserve.serving import Serving, classify, start_serving

SETTINGS = [{}, {"GRPC_ENABLE_FORK_SUPPORT": "1"}]


class Gate:
    """Holds back images of ones, until a test lets them go."""

    def __init__(self) -> None:
        self.arrived, self.open = threading.Event(), threading.Event()

    def answer(self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if any(request.pixels_u8):
            self.arrived.set()
            self.open.wait(PATIENCE_SECONDS)
        response = classify(request)
        response.model = context.peer()
        return response


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def server(gate: Gate) -> Iterator[Serving]:
    """A server whose answers name their connection."""
    with start_serving(gate.answer) as serving:
        yield serving


def command(server: Serving, scenario: str) -> list[str]:
    return [sys.executable, "-m", forking.__name__, server.address, scenario]


def run(server: Serving, scenario: str, **variables: str) -> list[dict[str, Any]]:
    """Return what a scenario says; none may hang."""
    done = subprocess.run(
        command(server, scenario),
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def gather(lines: list[dict[str, Any]], key: str) -> list[Any]:
    return [line[key] for line in lines if key in line]


@pytest.mark.parametrize("variables", SETTINGS, ids=["default", "enabled"])
@pytest.mark.parametrize(
    "scenario",
    [
        "inherited",
        "hedged",
        "grandchild",
        "pool",
        "busy",
        "coalescing",
        "asynchronous_before",
        "unused",
    ],
)
def test_children_have_connections_of_their_own(
    server: Serving, scenario: str, variables: dict[str, str]
) -> None:
    lines = run(server, scenario, **variables)
    assert set(gather(lines, "status")) == {0}
    children = [answer for answers in gather(lines, "child") for answer in answers]
    assert children
    assert all(answer.startswith("ipv4:") for answer in children), children
    before = [answer for answers in gather(lines, "before") for answer in answers]
    assert not set(before) & set(children)
    for after in gather(lines, "after"):
        # The very connections that the parent had.
        assert set(after) == set(before)
    assert not any(gather(lines, "errors"))
    for closed in gather(lines, "closed"):
        assert closed.startswith("ValueError: the client is closed")


@pytest.mark.parametrize("value", ["0", "false"])
def test_where_grpc_has_forks_switched_off(server: Serving, value: str) -> None:
    lines = run(server, "inherited", GRPC_ENABLE_FORK_SUPPORT=value)
    assert set(gather(lines, "status")) == {0}
    children = [answer for answers in gather(lines, "child") for answer in answers]
    assert len(children) == 6
    for answer in children:
        assert answer.startswith(
            "ForkedProcess: gRPC does not work in this forked process: GRPC_EN"
        )
        assert "'spawn' or 'forkserver'" in answer
    (before,), (after,) = gather(lines, "before"), gather(lines, "after")
    assert set(before) == set(after)
    assert run(server, "unused", GRPC_ENABLE_FORK_SUPPORT=value)[-1]["status"] == 0


def test_children_of_a_process_with_asyncio_are_told_so(server: Serving) -> None:
    lines = run(server, "asynchronous")
    assert gather(lines, "status") == [0]
    ((inherited, joining, new, threaded),) = gather(lines, "child")
    for answer in (inherited, joining):
        assert answer.startswith("ForkedProcess: this client belongs to the process that this one")
    for answer in (new, threaded):
        assert answer.startswith(
            "ForkedProcess: gRPC does not work in this forked process: its par"
        )
    (before,), (after,) = gather(lines, "before"), gather(lines, "after")
    assert before == after
    assert before[0].startswith("ipv4:")


@pytest.mark.parametrize("value", ["0", "1"])
def test_a_child_never_ends_its_parents_channels(server: Serving, value: str) -> None:
    # That may wait for threads of the parent: for ever, and only sometimes.
    lines = run(server, "dropped", GRPC_ENABLE_FORK_SUPPORT=value)
    assert gather(lines, "child") == ["ends"]
    assert gather(lines, "status") == [0]
    (before,), (after,) = gather(lines, "before"), gather(lines, "after")
    assert before == after


def test_a_fork_does_not_wait_for_ever(server: Serving, gate: Gate) -> None:
    with subprocess.Popen(
        command(server, "slow"),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        guard = threading.Timer(PATIENCE_SECONDS, process.kill)
        guard.start()
        assert process.stdin is not None
        assert process.stdout is not None
        assert gate.arrived.wait(PATIENCE_SECONDS)
        process.stdin.write("\n")
        process.stdin.flush()
        lines = []
        while "forked" not in (line := json.loads(process.stdout.readline())):
            lines.append(line)
        gate.open.set()
        lines += map(json.loads, process.stdout)
        guard.cancel()
    assert process.returncode == 0
    ((inherited, new),) = gather(lines, "child")
    for answer in (inherited, new):
        assert "its parent had calls in progress for more than 2 s" in answer
    ((answer,),) = gather(lines, "answers")
    assert answer.startswith("ipv4:")
