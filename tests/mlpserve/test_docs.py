"""docs/clients.md: its programs run as they stand there, one after the other."""

import re
import subprocess
import sys

from harness.server_process import ROOT, environment
from harness.waiting import PATIENCE_SECONDS
from tests.documents import pages
from tests.mlpserve.serving import start_serving
from tests.mlpserve.test_client import SERVING, Health

ADDRESS = "localhost:50051"
N_PREDICTIONS = 4
"""Those that the page's programs print."""


def test_the_programs_run() -> None:
    programs = [block.text for block in pages.blocks("docs/clients.md", "python")]
    with start_serving(health=Health(SERVING).handler) as serving:
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(programs).replace(ADDRESS, serving.address)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("('0',)") == N_PREDICTIONS, done.stdout
    counted = re.findall(r"^(\d+) images$", done.stdout, re.MULTILINE)
    assert counted == ["20000", "5000", "20000"]
    assert "\n0\nitem 1: images has the type int64; wanted floats" in done.stdout
