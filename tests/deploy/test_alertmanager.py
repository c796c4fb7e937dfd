"""Alerts reach who should hear of them, and a real Alertmanager keeps quiet about the rest."""

import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.waiting import PATIENCE_SECONDS, wait_for
from tests.deploy.alertmanager import CONFIG, Alertmanager, start_alertmanager
from tests.programs import need

CONFIG_COMMENT = re.compile(r"^( +)# (.*(?:_configs:|- .*|smtp_.*| {3,}.*))$", re.MULTILINE)
"""A line that is configuration once its sign of a comment has gone."""


@pytest.fixture(scope="session")
def amtool() -> str:
    return need("amtool", "prometheus-alertmanager")


def test_configuration_is_valid(amtool: str) -> None:
    done = subprocess.run([amtool, "check-config", CONFIG], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_receivers_can_be_taken_as_they_stand_and_show_the_runbook(
    amtool: str, tmp_path: Path
) -> None:
    text = CONFIG_COMMENT.sub(r"\1\2", CONFIG.read_text())
    config = yaml.safe_load(text)
    assert {"smtp_smarthost", "smtp_from"} <= config["global"].keys()
    kinds = [kind for its in config["receivers"] for kind in its if kind != "name"]
    assert kinds == ["pagerduty_configs", "slack_configs", "email_configs"]
    # The default texts of the others have all annotations.
    (slack,) = (its["slack_configs"] for its in config["receivers"] if "slack_configs" in its)
    assert ".Annotations.runbook_url" in slack[0]["text"]
    (tmp_path / "alertmanager.yml").write_text(text)
    command = [amtool, "check-config", str(tmp_path / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "page"), ("ticket", "ticket"), ("other", "nobody")]
)
def test_routes(amtool: str, severity: str, receiver: str) -> None:
    command = [amtool, "config", "routes", "test", f"--config.file={CONFIG}"]
    labels = ["alertname=ServerDown", f"severity={severity}"]
    done = subprocess.run([*command, *labels], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [receiver]


Key = tuple[str, str, str]


def alert(name: str, severity: str = "ticket", job: str = "mlpserve", **labels: str) -> Any:
    return {"labels": {"alertname": name, "severity": severity, "job": job, **labels}}


def in_state(alertmanager: Alertmanager, state: str) -> set[Key]:
    """Return the alerts in this state, as name, severity and job."""
    answer = httpx.get(
        f"http://{alertmanager.address}/api/v2/alerts", timeout=PATIENCE_SECONDS
    ).raise_for_status()
    return {
        (found["labels"]["alertname"], found["labels"]["severity"], found["labels"]["job"])
        for found in answer.json()
        if found["status"]["state"] == state
    }


def test_what_is_silenced(tmp_path: Path) -> None:
    """A page silences the ticket that says less, and ServerDown whatever else its job has."""
    budget = "AvailabilityBudgetBurn"
    burning = [alert(budget, "page", window="1h"), alert(budget, window="3d")]
    missing = [alert("NoReadyWorker", "page"), alert("WorkersMissing", instance="a")]
    others = [alert("ModelDrift"), alert("ModelDrift", job="other")]
    silent = {(budget, "ticket", "mlpserve"), ("WorkersMissing", "ticket", "mlpserve")}
    pages = {(budget, "page", "mlpserve"), ("NoReadyWorker", "page", "mlpserve")}
    drift, other = ("ModelDrift", "ticket", "mlpserve"), ("ModelDrift", "ticket", "other")
    down = ("ServerDown", "page", "mlpserve")
    with start_alertmanager(tmp_path / "alertmanager") as alertmanager:
        alertmanager.send([*burning, *missing, *others])
        wait_for(lambda: in_state(alertmanager, "suppressed") == silent)
        wait_for(lambda: in_state(alertmanager, "active") == {*pages, drift, other})
        alertmanager.send([alert("ServerDown", "page")])
        wait_for(lambda: in_state(alertmanager, "suppressed") == {*silent, *pages, drift})
        wait_for(lambda: in_state(alertmanager, "active") == {down, other})
