"""The lines of docs/http.md about the Open Inference Protocol run as they stand there."""

import json
import subprocess
from pathlib import Path

from harness import isolated
from harness.server_process import ROOT, ServerProcess
from harness.waiting import PATIENCE_SECONDS
from tests.documents import pages
from tests.programs import need

ADDRESS = "localhost:8080"


def test_curl(server: ServerProcess) -> None:
    need("curl", "curl")
    (block,) = pages.blocks("docs/http.md", "sh", "Open Inference Protocol")
    lines = block.text.replace("curl ", "curl --silent --show-error --write-out '\\n' ")
    done = subprocess.run(
        ["sh", "-ec", lines.replace(ADDRESS, server.http_address)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    metadata, black, seven = map(json.loads, done.stdout.splitlines())
    assert metadata["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 784]}]
    assert [output["name"] for output in black["outputs"]] == ["activations", "labels"]
    assert seven["outputs"][1] == {"name": "labels", "datatype": "INT64", "shape": [1], "data": [7]}


def test_the_program_of_tritonclient(server: ServerProcess, tmp_path: Path) -> None:
    (block,) = pages.blocks("docs/http.md", "python", "Open Inference Protocol")
    script = tmp_path / "program.py"
    script.write_text(block.text.replace(ADDRESS, server.http_address))
    isolated.run("tritonclient", [script])
