"""The program in the README runs as it stands; tests/mlpserve/test_docs.py runs those of the page
about clients.
"""

import re
import subprocess
import sys

from harness.server_process import ROOT, ServerProcess

ADDRESS = "localhost:50051"


def test_the_programs_of_the_readme_run(server: ServerProcess) -> None:
    text = (ROOT / "README.md").read_text()
    found = re.findall(r"^```python$(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    # tritonclient has an environment of its own: see tests/server/rpc/test_triton.py.
    programs = [program for program in found if "tritonclient" not in program]
    assert any("import Client" in program for program in programs)
    for program in programs:
        source = program.replace(ADDRESS, server.grpc_address)
        command = [sys.executable, "-W", "error", "-c", source]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, ""), program
        assert re.search(r"\d", ended.stdout)
