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

import httpx
import pytest
import yaml

from deploy.grafana.reading import read
from harness import certificate
from harness.http_server import serving
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from tests.deploy.programs import free_address, running
from tests.deploy.prometheus import Prometheus, write_rules
from tests.deploy.rules import PROMETHEUS
from tests.programs import need

PAGE = (ROOT / "docs" / "observability.md").read_text()
SECTION = PAGE[PAGE.index("## Prometheus without Compose") : PAGE.index("## Logs")]
CONFIGURATIONS = re.findall(r"^```yaml\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
ALERTS_PATH = "/api/v2/alerts"


def configuration(part: str) -> dict[str, Any]:
    """Return the only configuration of the page that has this in it."""
    (found,) = (text for text in CONFIGURATIONS if part in text)
    return dict(yaml.safe_load(found))


def job(part: str) -> dict[str, Any]:
    """Return how its servers are scraped."""
    (only,) = configuration(part)["scrape_configs"]
    return dict(only)


def commands(part: str) -> str:
    """Return the only block of commands of the page that has this in it."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if part in block)
    return str(found)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_configurations_can_be_pasted(text: str, tmp_path: Path) -> None:
    promtool = need("promtool", "prometheus")
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    (tmp_path / "ca.pem").touch()
    (tmp_path / "prometheus.yml").write_text(text)
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    names = [each["job_name"] for each in yaml.safe_load(text).get("scrape_configs", ())]
    assert set(names) <= {"mlpserve"}


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
    program = need("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("scraping")
    authority = certificate.make(folder, "ca")
    its = certificate.sign(authority, folder, "server")
    files = ("--tls-certificate", str(its.certificate_file), "--tls-key", str(its.key_file))
    mutual = ("--tls-client-ca", str(authority.certificate_file), "--http-tls", "on")
    alerts: queue.Queue[dict[str, Any]] = queue.Queue()

    def take(request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        for alert in body if request.path == ALERTS_PATH else ():
            alerts.put(alert)
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    with start_server(repository, *files, *mutual) as secured, serving(take) as receiver:
        config = configuration("alertmanagers:")
        elsewhere = configuration("external_labels:")
        config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["global"] |= elsewhere["global"]
        config["alerting"] |= elsewhere["alerting"]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [receiver]
        (plain,) = config["scrape_configs"]
        plain["static_configs"][0]["targets"] = [server.http_address]
        by_file, tls = job("file_sd_configs") | {"job_name": "file"}, job("tls_config")
        (folder / "mlpserve").mkdir()
        (line,) = re.findall(r"^`(- targets: .+)`:$", SECTION, re.MULTILINE)
        (folder / "mlpserve" / "servers.yml").write_text(
            line.replace("mlp-1.example.org:8080", server.http_address)
        )
        tls["job_name"] = "tls"
        tls["tls_config"]["server_name"] = "localhost"
        tls["static_configs"][0]["targets"] = [secured.http_address]
        config["scrape_configs"] += [by_file, tls]
        write_rules(folder / "rules")
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        address = free_address()
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ]
        with running(command, folder / "log") as process:
            yield Scraping(Prometheus(address, process), alerts)


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
    base = configuration("external_labels:")["global"]["external_labels"]["runbook"]
    assert alert["annotations"]["runbook_url"] == f"{base}#certificateexpiring"
    assert "runbook" not in alert["labels"]
    assert f"lead to `{base}#serverdown`" in SECTION


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
    starts = [
        ["bash", "-c", f"cd {tmp_path}; exec {here(commands(name))}"]
        for name in ("prometheus --config", "prometheus-alertmanager --config")
    ]
    with running(starts[0], tmp_path / "log") as process, running(starts[1], tmp_path / "other"):
        started = Prometheus(prometheus, process)
        started.wait_for('up{job="mlpserve"} == 1')
        started.wait_for("slo:error_budget:ratio")
        wait_for(lambda: started.get("alertmanagers")["activeAlertmanagers"] != [])
        wait_for(lambda: _answers(f"http://{alertmanager}/-/ready"))
        assert _answers(f"http://{prometheus}/user/runbook.html")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE_SECONDS).is_success
    except httpx.TransportError:
        return False


def test_grafana_gets_its_data_source_and_the_dashboards() -> None:
    """There is no Grafana here: what it would get is what its API takes."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def take(request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        asked.append((request.path, body))
        assert request.headers["Authorization"].startswith("Basic ")
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    with serving(take) as grafana:
        block = commands("GRAFANA=").replace("localhost:3000", grafana)
        subprocess.run(["bash", "-e", "-c", block], cwd=ROOT, check=True, capture_output=True)
    (path, source), *boards = asked
    files = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
    assert path == "/api/datasources"
    assert {uid for file in files for uid in read(file).datasources} == {source["uid"]}
    local = yaml.safe_load((PROMETHEUS / "local.yml").read_text())
    assert source["jsonData"]["timeInterval"] == local["global"]["scrape_interval"]
    assert [path for path, _ in boards] == ["/api/dashboards/db"] * len(files)
    shown = [body["dashboard"] for _, body in boards]
    assert shown == [json.loads(file.read_text()) for file in files]
