"""The commands of docs/runbook.md, as they are pasted on the server's machine."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness import certificate
from harness.server_process import ROOT
from harness.waiting import wait_for
from tests.deploy.manifests import server_of, settings_of
from tests.documents import clone, pages
from tests.documents.clone import Clone
from tests.programs import need

PAGE = "docs/runbook.md"

START = """
.venv/bin/python -m exporter export
cp -r models/digits/1 models/digits/2
exec .venv/bin/python -m server --versions "latest 2" --labels "digits: stable 1, canary 2"
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone whose server has a canary."""
    need("curl", "curl")
    folder = tmp_path_factory.mktemp("clone")
    with clone.clone(folder) as made, made.serve(START):
        yield made


def test_looking_at_one_server(started: Clone) -> None:
    shown = started.sh(pages.block(PAGE, "mlpserve top").text)
    assert "1 of 1 workers ready" in shown
    assert "digits 2 (canary)" in shown
    assert shown.endswith("\nready\n")


def test_a_file_is_checked(started: Clone) -> None:
    assert "golden" in started.sh(pages.block(PAGE, "exporter inspect").text)


def test_a_canary_goes_and_comes_back(started: Clone) -> None:
    asking = "curl --silent --output /dev/null --write-out '%{http_code}' "
    asking += "localhost:8080/v2/models/digits/versions/canary/ready"
    assert started.sh(asking) == "200"
    started.sh(pages.block(PAGE, "exporter retire").text)
    wait_for(lambda: started.sh(asking) == "404")
    (back,) = re.findall(r"`(.+ exporter restore .+)`", pages.text(PAGE))
    started.sh(back)
    wait_for(lambda: started.sh(asking) == "200")


def test_workers_are_replaced(started: Clone) -> None:
    """The only server of the machine is here the only one of the network."""
    program = need("pgrep", "procps")
    wrapper = started.folder / "pgrep"
    wrapper.write_text(f'#!/bin/sh\nexec {program} --ns $$ --nslist net "$@"\n')
    wrapper.chmod(0o755)
    started.sh(f"export PATH={started.folder}:$PATH\n{pages.block(PAGE, 'kill -USR2').text}")
    rolled = 'mlpserve_worker_restarts_total{reason="rolled"} 1'
    wait_for(lambda: rolled in started.sh("curl --silent localhost:8080/metrics"))


def test_the_end_of_a_certificate(started: Clone) -> None:
    need("openssl", "openssl")
    certificate.make(started.folder, "server")
    assert started.sh(pages.block(PAGE, "openssl").text).startswith("notAfter=")


def test_the_canary_leaves_the_traffic_of_a_cluster(kubectl: Path, tmp_path: Path) -> None:
    """There is no cluster: kubectl changes the manifest that it would change there."""
    base = ROOT / "deploy" / "kubernetes" / "base" / "deployment.yaml"
    file = shutil.copy(base, tmp_path)
    block = pages.block(PAGE, "kubectl").text
    line = block.replace("deployment/mlpserve", f"--local --output yaml --filename {file}")
    command = ["bash", "-c", f"export PATH={kubectl.parent}:$PATH; {line}"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    deployment = yaml.safe_load(ended.stdout)
    assert deployment["metadata"]["name"] == "mlpserve"
    settings = settings_of(server_of([deployment]))
    assert settings["MLPSERVE_TRAFFIC"] == "digits: stable 100"
