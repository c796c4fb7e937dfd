"""Elsewhere than on Linux the server says so at the start, in one sentence."""

import subprocess
import sys

import pytest

from harness.server_process import ROOT, environment

START = """
import runpy, sys
sys.platform = {platform!r}
# Windows has none of these.
sys.modules |= dict.fromkeys(("fcntl", "pwd", "resource"))
sys.argv = ["server", *{arguments!r}]
runpy.run_module("server", run_name="__main__")
"""


@pytest.mark.parametrize("platform", ["darwin", "win32"])
@pytest.mark.parametrize("arguments", [[], ["--help"], ["health"]])
def test_it_does_not_start_where_it_can_not_run(platform: str, arguments: list[str]) -> None:
    start = START.format(platform=platform, arguments=arguments)
    command = [sys.executable, "-W", "error", "-c", start]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("The server runs on Linux only")
