"""The stack of docker-compose.yml on the tests' engine."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.server_process import ROOT
from tests.deploy.engine import forward, images
from tests.deploy.engine.daemon import Engine

GRPC, HTTP, PROMETHEUS, ALERTMANAGER = 50051, 8080, 9090, 9093
PATIENT = "X-Prometheus-Scrape-Timeout-Seconds: 60"


OVERRIDE = """
x-patient: &patient
  healthcheck: {{interval: 1s, timeout: 60s, start_period: 300s}}
  stop_grace_period: 120s
x-stand-in: &stand-in
  image: {prometheus}
  command: !override []
  healthcheck: {{test: ["CMD", "true"], interval: 1s}}
  volumes: !override ["{folder}/page:/page:ro"]
services:
  grafana:
    <<: *stand-in
    entrypoint: [httpd, -f, -p, "3000", -h, /page]
  jaeger:
    <<: *stand-in
    entrypoint: [httpd, -f, -p, "16686", -h, /page]
  server:
    <<: *patient
  alertmanager:
    <<: *patient
  envoy:
    volumes: !override ["{folder}/envoy.yaml:/etc/envoy/envoy.yaml:ro"]
  prometheus:
    <<: *patient
    volumes: !override ["{folder}/rules:/etc/prometheus:ro", "prometheus:/prometheus"]
"""
"""Health is checked often, so that no test waits long, and may take long on a busy machine. On the
ports of Grafana and Jaeger, whose images are large, a page answers in their place.
"""


@dataclass(frozen=True, slots=True)
class Stack:
    """Containers that run; their published ports are sockets in the engine's folder."""

    engine: Engine

    def sh(self, commands: str) -> str:
        """Run shell commands where the published ports are, in the repository, and return what they
        print; raises EngineError.
        """
        variables = {
            "COMPOSE_FILE": f"docker-compose.yml:{self.engine.folder / 'override.yml'}",
            # The machine's few cores are shared by all replicas.
            "MLPSERVE_WORKERS": "1",
            # There is no image with the packages for traces.
            "SERVER_IMAGE": images.TARGETS["server"],
            "MLPSERVE_OTLP_ENDPOINT": "",
        }
        command = self.engine.inside("bash", "-euxo", "pipefail", "-c", commands)
        return self.engine.run(command, variables=variables)

    def check_end(self) -> None:
        """Fail if a container or a network is left."""
        assert self.engine.docker("ps", "--all", "--quiet") == ""
        assert self.engine.docker("network", "ls", "--quiet", "--filter=type=custom") == ""

    def servers(self) -> list[str]:
        """Return the ids of the servers' containers."""
        return self.sh("docker compose ps --all --quiet server").split()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the engine knows of a container."""
        (found,) = json.loads(self.engine.docker("inspect", container))
        return dict(found)

    def is_healthy(self, container: str) -> bool:
        """Return what the container's health check found."""
        return bool(self.inspect(container)["State"]["Health"]["Status"] == "healthy")

    def start_time(self, container: str) -> str:
        """Return when the container was started last."""
        return str(self.inspect(container)["State"]["StartedAt"])

    def own_address(self, server: str) -> str:
        """Return where the HTTP port of one server is, until it is started again."""
        networks = self.inspect(server)["NetworkSettings"]["Networks"].values()
        (address,) = (network["IPAddress"] for network in networks)
        return f"http://{address}:{HTTP}"

    def read(self, url: str) -> str:
        """Return what is at an address in the network of the containers."""
        ask = ("curl", "--fail", "--silent", "--show-error", "--header", PATIENT)
        return self.engine.run(self.engine.inside(*ask, url))

    def address(self, port: int) -> str:
        """Return a gRPC target for a published port."""
        return f"unix:{self.engine.folder / f'{port}.sock'}"

    def get(self, port: int, path: str, **parameters: str) -> httpx.Response:
        """Ask a published port over HTTP."""
        transport = httpx.HTTPTransport(uds=str(self.engine.folder / f"{port}.sock"))
        with httpx.Client(transport=transport, timeout=60) as client:
            return client.get(f"http://localhost{path}", params=parameters)

    def post(self, port: int, path: str, content: bytes, kind: str) -> httpx.Response:
        """Send a published port some bytes over HTTP, of a media type."""
        transport = httpx.HTTPTransport(uds=str(self.engine.folder / f"{port}.sock"))
        with httpx.Client(transport=transport, timeout=60) as client:
            return client.post(
                f"http://localhost{path}", content=content, headers={"content-type": kind}
            )

    def query(self, expression: str) -> float:
        """Return the only value that Prometheus has now; 0 when there is none."""
        answer = self.get(PROMETHEUS, "/api/v1/query", query=expression).raise_for_status().json()
        return float(sum(float(series["value"][1]) for series in answer["data"]["result"]))


def prepare(engine: Engine) -> Stack:
    """Write the files that the services get in the tests, and start nothing.

    Prometheus looks, and the alerts' rules wait, for seconds in place of minutes; Envoy has more
    patience.
    """
    rules = engine.folder / "rules"
    shutil.copytree(ROOT / "deploy" / "prometheus", rules, dirs_exist_ok=True)
    for file in (rules / "prometheus.yml", *rules.glob("rules/*.yml")):
        every = r"((?:evaluation|scrape|refresh)_interval|\bfor): \d+[smhd]"
        hasty = re.sub(every, r"\1: 1s", file.read_text())
        file.write_text(hasty.replace("scrape_timeout: 3s", "scrape_timeout: 1s"))
    envoy = (ROOT / "deploy" / "envoy" / "envoy.yaml").read_text()
    (engine.folder / "envoy.yaml").write_text(envoy.replace("timeout: 0.5s", "timeout: 60s"))
    (engine.folder / "page").mkdir(exist_ok=True)
    (engine.folder / "page" / "index.html").write_text("in place of Grafana and Jaeger")
    override = OVERRIDE.format(folder=engine.folder, prometheus=images.PROMETHEUS)
    (engine.folder / "override.yml").write_text(override)
    return Stack(engine)


@contextlib.contextmanager
def start(engine: Engine, commands: str) -> Iterator[Stack]:
    """Run the services until the block ends, started by the commands; fail if any is left then."""
    stack = prepare(engine)
    try:
        stack.sh(commands)
        with _forwarded(engine, (GRPC, HTTP, PROMETHEUS, ALERTMANAGER)):
            yield stack
    finally:
        stack.sh("docker compose down --volumes --timeout 5")
        stack.check_end()


@contextlib.contextmanager
def _forwarded(engine: Engine, ports: tuple[int, ...]) -> Iterator[None]:
    program = [sys.executable, str(Path(forward.__file__)), str(engine.folder), *map(str, ports)]
    process = subprocess.Popen(engine.inside(*program), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        assert process.stdout.readline() == "forwarding\n"
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
        for port in ports:
            (engine.folder / f"{port}.sock").unlink(missing_ok=True)
