"""The callers whose cost is measured make the calls that they are told to."""

import itertools
import json
import subprocess
import sys

import pytest

from harness.server_process import ROOT, ServerProcess
from harness.waiting import PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("module", "names"),
    [("blocking", ("stub", "stub, arrays", "Client")), ("tasks", ("aio stub", "aio.Client"))],
)
def test_each_caller_calls(module: str, names: tuple[str, ...], server: ServerProcess) -> None:
    cases = list(itertools.product(names, (1, 1_000), ("floats", "bytes")))
    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.callers.{module}", server.grpc_address],
        input="".join(f"{json.dumps([case, 2])}\n" for case in cases),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    costs = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(costs) == len(cases)
    assert all(cpu > 0 and wall > 0 for cpu, wall in costs)
