"""A real Alertmanager with the shipped routes, whose receivers are a webhook here."""

import contextlib
import queue
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.http_server import receiving
from harness.server_process import ROOT
from harness.waiting import PATIENCE_SECONDS, wait_for
from tests.deploy.programs import answers, free_address, running
from tests.programs import need

CONFIG = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager, and the messages that its receivers got."""

    address: str
    process: "subprocess.Popen[bytes]"
    messages: "queue.Queue[dict[str, Any]]"

    def send(self, alerts: list[Any]) -> None:
        """Tell it of alerts, as Prometheus does."""
        httpx.post(
            f"http://{self.address}/api/v2/alerts", json=alerts, timeout=PATIENCE_SECONDS
        ).raise_for_status()

    def wait_for(self, alert: str, status: str) -> dict[str, Any]:
        """Return the next message about this alert, within a minute."""
        while True:
            message = self.messages.get(timeout=TIMEOUT_SECONDS)
            found = (message["groupLabels"]["alertname"], message["status"])
            if found == (alert, status):
                return message


@contextlib.contextmanager
def start_alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """Run an Alertmanager with what is shipped, which sends to a webhook and waits for nothing."""
    program = need("prometheus-alertmanager", "prometheus-alertmanager")
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    with receiving(lambda _request, message: messages.put(message)) as webhook:
        config = yaml.safe_load(CONFIG.read_text())
        for receiver in config["receivers"]:
            receiver["webhook_configs"] = [{"url": f"http://{webhook}/{receiver['name']}"}]
        for route in (config["route"], *config["route"]["routes"]):
            route |= {"group_wait": "0s", "group_interval": "1s"}
        folder.mkdir(parents=True)
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        address = free_address()
        command = [
            program,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        with running(command, folder / "log") as process:
            wait_for(lambda: _is_ready(address, process))
            yield Alertmanager(address, process, messages)


def _is_ready(address: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "Alertmanager has ended"
    return answers(f"http://{address}/-/ready")
