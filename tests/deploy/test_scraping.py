"""Prometheus and Grafana without Compose, by the configurations of docs/observability.md."""

import json
import queue
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.reading import read
from harness import certificate
from harness.http_server import receiving
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from tests.deploy import rules
from tests.deploy.programs import answers, free_address, running
from tests.deploy.prometheus import Prometheus, run, write_rules
from tests.deploy.rules import PROMETHEUS
from tests.documents import pages
from tests.documents.pages import Block
from tests.programs import need

PAGE = "docs/observability.md"
ALERTS_PATH = "/api/v2/alerts"


def read_yaml(block: Block) -> dict[str, Any]:
    """Return a configuration of the page."""
    return dict(yaml.safe_load(block.text))


@pytest.mark.parametrize("block", pages.blocks(PAGE, "yaml"), ids=str)
def test_configurations_can_be_pasted(block: Block, tmp_path: Path) -> None:
    promtool = need("promtool", "prometheus")
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    (tmp_path / "ca.pem").touch()
    (tmp_path / "prometheus.yml").write_text(block.text)
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = [each["job_name"] for each in read_yaml(block).get("scrape_configs", ())]
    assert set(names) <= {"mlpserve"}


def test_the_page_names_the_alerts_that_ask_for_the_job() -> None:
    (said,) = re.findall(
        r"\*\*The job's name is.+?\*\*: the alerts (.+?) ask", pages.text(PAGE), re.DOTALL
    )
    asking = [rule for rule in rules.read_rules() if 'job="mlpserve"' in rule.expression]
    assert set(re.findall(r"`(\w+)`", said)) == {rule.alert for rule in asking}


@dataclass(frozen=True, slots=True)
class Scraping:
    """A Prometheus with the page's configurations, and the alerts that it sends."""

    prometheus: Prometheus
    alerts: "queue.Queue[dict[str, Any]]"


@pytest.fixture(scope="module")
def scraping(
    server: ServerProcess, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scraping]:
    """One that reads a server by its address and by a file, and one with TLS that demands
    certificates of its callers.
    """
    need("openssl", "openssl")
    folder = tmp_path_factory.mktemp("scraping")
    authority = certificate.make(folder, "ca")
    its = certificate.sign(authority, folder, "server")
    files = ("--tls-certificate", str(its.certificate_file), "--tls-key", str(its.key_file))
    mutual = ("--tls-client-ca", str(authority.certificate_file), "--http-tls", "on")
    alerts: queue.Queue[dict[str, Any]] = queue.Queue()

    def take(request: BaseHTTPRequestHandler, sent: list[dict[str, Any]]) -> None:
        for alert in sent if request.path == ALERTS_PATH else ():
            alerts.put(alert)

    with start_server(repository, *files, *mutual) as secured, receiving(take) as receiver:
        config = read_yaml(pages.block(PAGE, "alertmanagers:"))
        elsewhere = read_yaml(pages.block(PAGE, "external_labels:"))
        config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["global"] |= elsewhere["global"]
        config["alerting"] |= elsewhere["alerting"]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [receiver]
        (plain,) = config["scrape_configs"]
        plain["static_configs"][0]["targets"] = [server.http_address]
        (by_file,) = read_yaml(pages.block(PAGE, "file_sd_configs:"))["scrape_configs"]
        (tls,) = read_yaml(pages.block(PAGE, "tls_config:"))["scrape_configs"]
        # Names of jobs differ within a configuration.
        by_file["job_name"], tls["job_name"] = "file", "tls"
        (folder / "mlpserve").mkdir()
        (line,) = re.findall(r"^`(- targets: .+)`:$", pages.text(PAGE), re.MULTILINE)
        (folder / "mlpserve" / "servers.yml").write_text(
            line.replace("mlp-1.example.org:8080", server.http_address)
        )
        tls["tls_config"]["server_name"] = "localhost"
        tls["static_configs"][0]["targets"] = [secured.http_address]
        config["scrape_configs"] += [by_file, tls]
        with run(folder, config, free_address()) as prometheus:
            yield Scraping(prometheus, alerts)


def test_servers_are_read_by_address_by_file_and_over_tls(scraping: Scraping) -> None:
    jobs = {"mlpserve", "file", "tls"}
    scraping.prometheus.wait_for(f"count(up == 1) == {len(jobs)}")
    # The rules, too, keep them apart.
    scraping.prometheus.wait_for(f"count(slo:calls:rate5m{{slo='latency'}}) == {len(jobs)}")
    recorded = scraping.prometheus.query("slo:calls:rate5m{slo='latency'}")
    assert {dict(labels)["job"] for labels in recorded} == jobs


def test_alerts_lead_to_the_runbook_that_the_configuration_names(scraping: Scraping) -> None:
    # The certificate of the server with TLS is for a day.
    alert = scraping.alerts.get(timeout=PATIENCE_SECONDS)
    while alert["labels"]["alertname"] != "CertificateExpiring":
        alert = scraping.alerts.get(timeout=PATIENCE_SECONDS)
    elsewhere = read_yaml(pages.block(PAGE, "external_labels:"))
    base = elsewhere["global"]["external_labels"]["runbook"]
    assert alert["annotations"]["runbook_url"] == f"{base}#certificateexpiring"
    assert "runbook" not in alert["labels"]
    assert f"lead to `{base}#serverdown`" in pages.text(PAGE)


def test_commands_start_both_beside_a_server(server: ServerProcess, tmp_path: Path) -> None:
    """As they stand on the page, but for ports and folders, and how often they look."""
    for program in ("prometheus", "prometheus-alertmanager"):
        need(program, program)
    places = {
        "127.0.0.1:9090": (prometheus := free_address()),
        "127.0.0.1:9093": (alertmanager := free_address()),
        "localhost:9090": prometheus,
        "localhost:9093": alertmanager,
        "localhost:8080": server.http_address,
        "/tmp/": f"{tmp_path}/",
        "scrape_interval: 5s": "scrape_interval: 1s",
        "scrape_timeout: 3s": "scrape_timeout: 1s",
    }

    def here(text: str) -> str:
        for there, place in places.items():
            text = text.replace(there, place)
        return text

    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.rmtree(tmp_path / "deploy" / "prometheus" / "rules")
    write_rules(tmp_path / "deploy" / "prometheus" / "rules")
    config = tmp_path / "deploy" / "prometheus" / "local.yml"
    config.write_text(here(config.read_text()))
    blocks = [pages.block(PAGE, "config.file=deploy/prom"), pages.block(PAGE, "deploy/alertm")]
    starts = [["bash", "-c", f"cd {tmp_path}; exec {here(block.text)}"] for block in blocks]
    with running(starts[0], tmp_path / "log") as process, running(starts[1], tmp_path / "other"):
        started = Prometheus(prometheus, process)
        started.wait_for('up{job="mlpserve"} == 1')
        started.wait_for("slo:error_budget:ratio")
        wait_for(lambda: started.get("alertmanagers")["activeAlertmanagers"] != [])
        wait_for(lambda: answers(f"http://{alertmanager}/-/ready"))
        assert answers(f"http://{prometheus}/user/runbook.html")


def test_grafana_gets_its_data_source_and_the_dashboards() -> None:
    """There is no Grafana here: what it would get is what its API takes."""
    need("curl", "curl")
    asked: list[tuple[str, dict[str, Any]]] = []

    def take(request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        asked.append((request.path, body))
        assert request.headers["Authorization"].startswith("Basic ")

    with receiving(take) as grafana:
        lines = pages.block(PAGE, "GRAFANA=").text.replace("localhost:3000", grafana)
        subprocess.run(["bash", "-e", "-c", lines], cwd=ROOT, check=True, capture_output=True)
    (path, source), *boards = asked
    files = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
    assert path == "/api/datasources"
    assert {uid for file in files for uid in read(file).datasources} == {source["uid"]}
    local = yaml.safe_load((PROMETHEUS / "local.yml").read_text())
    assert source["jsonData"]["timeInterval"] == local["global"]["scrape_interval"]
    assert [path for path, _ in boards] == ["/api/dashboards/db"] * len(files)
    shown = [body["dashboard"] for _, body in boards]
    assert shown == [json.loads(file.read_text()) for file in files]
