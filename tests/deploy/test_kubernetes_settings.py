"""What the manifests say of ports, probes, drains, cores and memory is what the server does."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.memory_bound import BOUNDS, MIB, server_bytes
from harness.server_process import ROOT, environment
from server.rpc import admin, classifier, inference
from server.settings.settings import Settings
from server.supervisor.supervisor import END_SECONDS
from server.system.cores import usable_cores
from tests.deploy.manifests import (
    BUILT,
    PODS,
    SERVER,
    Manifest,
    server_of,
    server_pod,
    settings_of,
    the,
)

SPARE_SECONDS = 5.0
LABELS = {"app.kubernetes.io/name": "mlpserve"}

Built = dict[str, list[Manifest]]


def setting(container: Manifest, name: str) -> float:
    """Return what the server in this container has for a setting that is a number."""
    default = getattr(Settings(), name)
    return float(settings_of(container).get(f"MLPSERVE_{name.upper()}", default))


def grace_of(manifests: list[Manifest]) -> float:
    """Return the seconds after which Kubernetes kills the server."""
    if service := [m for m in manifests if m["kind"] == "InferenceService"]:
        return float(service[0]["spec"]["predictor"]["terminationGracePeriodSeconds"])
    pod = server_pod(manifests)
    return float(pod["terminationGracePeriodSeconds"])


@pytest.mark.parametrize("name", BUILT)
def test_the_server_takes_its_settings(built: Built, name: str) -> None:
    container = server_of(built[name])
    command = [sys.executable, "-m", "server", *container.get("args", []), "--print-config"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(**settings_of(container)), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("# environment") == len(settings_of(container))


@pytest.mark.parametrize("name", BUILT)
def test_probes_ask_for_what_the_server_answers(built: Built, name: str) -> None:
    container = server_of(built[name])
    service = inference.SERVICE if name == "kserve" else classifier.SERVICE
    (port,) = (p["containerPort"] for p in container["ports"] if p["name"] in ("grpc", "h2c"))
    ready: Manifest = {"grpc": {"port": port, "service": service}}
    live: Manifest = {"grpc": {"port": port}}
    if name == "tls":
        ready, live = (
            {"httpGet": {"path": path, "port": "http", "scheme": "HTTPS"}}
            for path in ("/readyz", "/healthz")
        )
    for probe, asked in (
        ("startupProbe", ready),
        ("readinessProbe", ready),
        ("livenessProbe", live),
    ):
        found = container[probe]
        assert {key: found[key] for key in found.keys() & {"grpc", "httpGet"}} == asked
    # The server has had the time to replace a worker that hangs.
    liveness = container["livenessProbe"]
    patience = liveness["periodSeconds"] * liveness["failureThreshold"]
    assert patience > setting(container, "worker_timeout_seconds") + liveness["timeoutSeconds"]


@pytest.mark.parametrize("name", BUILT)
def test_the_drain_fits(built: Built, name: str) -> None:
    container = server_of(built[name])
    drain = setting(container, "drain_delay_seconds")
    needed = drain + setting(container, "stop_grace_seconds") + END_SECONDS
    assert grace_of(built[name]) >= needed + SPARE_SECONDS
    # It would come before SIGTERM, in the same time.
    assert "lifecycle" not in container
    if name != "dev":
        assert drain > Settings().drain_delay_seconds


@pytest.mark.parametrize("name", BUILT)
def test_workers_fit_the_quota(built: Built, name: str, tmp_path: Path) -> None:
    container = server_of(built[name])
    limits = container["resources"]["limits"]
    cores = _cores(limits["cpu"])
    (tmp_path / "cpu.max").write_text(f"{int(cores * 100_000)} 100000")
    workers = usable_cores(tmp_path, tmp_path / "none")
    assert "MLPSERVE_WORKERS" not in settings_of(container)
    assert workers == 1 or cores > workers
    assert max(_cores(container["resources"]["requests"]["cpu"]), 1) == workers
    needed = server_bytes(workers, *(int(setting(container, name)) for name in BOUNDS))
    assert limits["memory"].endswith("Mi")
    assert needed <= int(limits["memory"][:-2]) * MIB


def test_the_server_finds_the_certificate(built: Built) -> None:
    container = server_of(built["tls"])
    pod = server_pod(built["tls"])
    (secret,) = (volume["secret"] for volume in pod["volumes"] if volume["name"] == "tls")
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "tls")
    certificate = the(built["tls"], "Certificate")["spec"]
    assert secret["secretName"] == certificate["secretName"]
    # Others may not read the key, and the server, of whose group it is, has to.
    assert secret["defaultMode"] == 0o440
    variables = settings_of(container)
    # The names that a Secret of this type has.
    assert variables["MLPSERVE_TLS_CERTIFICATE"] == f"{mount['mountPath']}/tls.crt"
    assert variables["MLPSERVE_TLS_KEY"] == f"{mount['mountPath']}/tls.key"
    services = [m["metadata"]["name"] for m in built["tls"] if m["kind"] == "Service"]
    namespace = the(built["tls"], "Namespace")["metadata"]["name"]
    endings = ("", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    names = {service + ending for service in services for ending in endings}
    assert set(certificate["dnsNames"]) == names


def test_http_has_the_certificate_too(built: Built) -> None:
    for name, scheme in (("production", "http"), ("tls", "https")):
        (endpoint,) = the(built[name], "PodMonitor")["spec"]["podMetricsEndpoints"]
        assert endpoint.get("scheme", "http") == scheme
        services = [m["spec"]["ports"] for m in built[name] if m["kind"] == "Service"]
        (port,) = (port for ports in services for port in ports if port["name"] == "http")
        assert port["appProtocol"] == scheme


def test_the_largest_batch_fits_a_message(built: Built) -> None:
    container = server_of(built["production"])
    batch = setting(container, "max_batch_size") * 784 * 4
    assert batch < setting(container, "max_message_bytes") * 0.9


def test_ports_agree(built: Built) -> None:
    ports = {port["name"]: port["containerPort"] for port in server_of(built["dev"])["ports"]}
    defaults = {"grpc": Settings().grpc_address, "http": Settings().http_address}
    assert ports == {name: int(address.rpartition(":")[2]) for name, address in defaults.items()}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"EXPOSE {ports['grpc']} {ports['http']}" in dockerfile
    for name, variable in (("grpc", "MLPSERVE_GRPC_ADDRESS"), ("http", "MLPSERVE_HTTP_ADDRESS")):
        assert f"{variable}=0.0.0.0:{ports[name]}" in dockerfile
    # KServe's service has the first as port 80.
    kserve = {port["name"]: port["containerPort"] for port in server_of(built["kserve"])["ports"]}
    assert list(kserve.items()) == [("h2c", ports["grpc"]), ("http1", ports["http"])]
    runtime = the(built["kserve"], "ServingRuntime")["spec"]["annotations"]
    assert runtime["prometheus.kserve.io/port"] == str(ports["http"])
    services = [m for m in built["gateway"] if m["kind"] == "Service"]
    assert [service["spec"].get("clusterIP") for service in services] == [None, "None"]
    for service in services:
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    (endpoint,) = the(built["production"], "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "http"
    policy = the(built["gateway"], "NetworkPolicy")["spec"]
    named = [[port["port"] for port in rule["ports"]] for rule in policy["ingress"]]
    assert named == [["grpc", "http"], ["http"], ["grpc"]]
    (rule,) = the(built["gateway"], "GRPCRoute")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "mlpserve", "port": ports["grpc"]}]


def test_the_route_has_all_services_but_admin(built: Built) -> None:
    (rule,) = the(built["gateway"], "GRPCRoute")["spec"]["rules"]
    routed = {match["method"]["service"] for match in rule["matches"]}
    assert routed == {classifier.SERVICE, inference.SERVICE, "grpc.health.v1.Health"}
    assert admin.SERVICE not in routed


@pytest.mark.parametrize("name", PODS)
def test_selectors_find_the_pods(built: Built, name: str) -> None:
    deployment = the(built[name], "Deployment", SERVER)["spec"]
    template = deployment["template"]
    assert LABELS.items() <= template["metadata"]["labels"].items()
    spreading = template["spec"]["topologySpreadConstraints"]
    avoiding = template["spec"]["affinity"]["podAntiAffinity"]
    (term,) = avoiding["preferredDuringSchedulingIgnoredDuringExecution"]
    selectors = [deployment["selector"], term["podAffinityTerm"]["labelSelector"]]
    selectors += [constraint["labelSelector"] for constraint in spreading]
    selectors.append(the(built[name], "NetworkPolicy", SERVER)["spec"]["podSelector"])
    for manifest in built[name]:
        if manifest["kind"] in ("PodDisruptionBudget", "PodMonitor"):
            selectors.append(manifest["spec"]["selector"])
        elif manifest["kind"] == "Service":
            assert manifest["spec"]["selector"] == LABELS
    assert selectors == [{"matchLabels": LABELS}] * len(selectors)


def test_the_autoscaler_has_the_number_of_pods(built: Built) -> None:
    autoscaler = the(built["production"], "HorizontalPodAutoscaler")["spec"]
    deployment = the(built["production"], "Deployment")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert autoscaler["scaleTargetRef"] == target
    # Else each `kubectl apply` would undo what the autoscaler did.
    assert "replicas" not in deployment["spec"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_kserve_runs_the_server_as_the_deployment_does(built: Built) -> None:
    ours, theirs = server_of(built["production"]), server_of(built["kserve"])
    assert theirs["resources"] == ours["resources"]
    own = settings_of(ours)
    assert own.pop("MLPSERVE_REPOSITORY")
    assert settings_of(theirs) == own
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert theirs[probe] | {"grpc": None} == ours[probe] | {"grpc": None}
    assert ours["securityContext"].items() <= theirs["securityContext"].items()


def _cores(quantity: str) -> float:
    """Read a quantity of CPU, such as 1500m or 2."""
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
