"""The programs in the README and on the page about clients run as they stand."""

import re
import subprocess
import sys

import pytest

from harness.server_process import ROOT, ServerProcess

PAGES = ("README.md", "docs/clients.md")
ADDRESS = "localhost:50051"
PROGRAMS = [
    pytest.param(program, id=f"{page}-{number}")
    for page in PAGES
    for number, program in enumerate(
        re.findall(r"^```python$(.+?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    )
    # Others are parts of programs, or for environments of their own.
    if ADDRESS in program and "print(" in program and "tritonclient" not in program
]


def test_there_are_programs_for_threads_and_asyncio() -> None:
    programs = [str(param.values[0]) for param in PROGRAMS]
    assert any("asyncio.run(" in program for program in programs)
    assert any("import Client" in program for program in programs)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run(program: str, server: ServerProcess) -> None:
    command = [sys.executable, "-W", "error", "-c", program.replace(ADDRESS, server.grpc_address)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"\d", ended.stdout)
    assert "no answer" not in ended.stdout
