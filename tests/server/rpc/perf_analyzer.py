"""Runs Triton's perf_analyzer, a load generator, and reads what it prints."""

import ctypes
import os
import platform
import re
import subprocess
from dataclasses import dataclass

import pytest

from harness import isolated

LIBRARY, PACKAGE = "libb64.so.0d", "libb64-0d"
N_REQUESTS = 10
WINDOWS = (
    *("--measurement-mode", "count_windows", "--measurement-request-count", str(N_REQUESTS)),
    *("--stability-percentage", "1000000"),
)
"""Three windows, each as long as it takes for so many requests, whose figures need not agree."""

STAGES = ("queue", "compute input", "compute infer", "compute output")


@dataclass(frozen=True, slots=True)
class Report:
    """What it prints of its requests, and of the server's statistics meanwhile: counts, and a mean
    number of microseconds for each stage of a request.
    """

    text: str
    requests: int
    inferences: int
    executions: int
    successes: int
    stages: dict[str, int]


def need() -> None:
    """Skip the test where perf_analyzer doesn't run; in CI, fail unless it never could."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("perf_analyzer is there for Linux on x86_64 alone")
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        reason = f"perf_analyzer needs {LIBRARY}: apt-get install {PACKAGE}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def analyze(address: str, model: str, *options: str) -> Report:
    """Run it until it has measured some requests over gRPC; it must find no error."""
    programs = isolated.install("perf_analyzer")
    (library,) = programs.parent.glob("lib/python*/site-packages/nvidia/cuda_runtime/lib")
    command = [str(programs / "perf_analyzer"), "-m", model, "-u", address, "-i", "grpc"]
    ended = subprocess.run(
        [*command, *WINDOWS, *options],
        env=os.environ | {"LD_LIBRARY_PATH": str(library)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert "error" not in said.lower(), said
    assert "failed" not in said.lower(), said
    return read(ended.stdout)


def read(text: str) -> Report:
    """Read the blocks of the client and of the server."""
    client, has_server, server = text.partition("  Server: ")
    assert has_server, text
    latency = _find(r"Avg request latency: .*", server)
    return Report(
        text=text,
        requests=_number("Request count", client),
        inferences=_number("Inference count", server),
        executions=_number("Execution count", server),
        successes=_number("Successful request count", server),
        stages={stage: int(_find(rf"{stage} (\d+) usec", latency)) for stage in STAGES},
    )


def _number(name: str, text: str) -> int:
    return int(_find(rf"^ *{name}: (\d+)$", text))


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return found[found.lastindex or 0]
