"""The programs in the README run as they stand; tests/mlpserve/test_docs.py runs those of the page
about clients.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.network.network import Batch
from exporter.training.mnist import Labels
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


def test_a_picture_is_answered_without_a_client(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    images, labels = digits
    seven = np.uint8(255 * images[labels == 7][0].reshape(28, 28))
    Image.fromarray(seven).save(tmp_path / "7.png")
    found = re.findall(r"^curl .*7\.png.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    (line,) = found
    command = shlex.split(line.replace("localhost:8080", server.http_address))
    ended = subprocess.run(
        [*command, "--silent"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout)["labels"] == [7]
