"""What in a set of manifests refers to what, and must fit it, whichever components are chosen."""

from collections.abc import Iterator

from tests.deploy.manifests import (
    SERVER,
    Manifest,
    all_of,
    containers,
    pod_specs,
    server_of,
    server_pod,
    settings_of,
    the,
)

SOURCES = {
    "configMap": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}
"""The kinds that volumes refer to, and the field with the name."""


def problems(manifests: list[Manifest], provided: frozenset[tuple[str, str]]) -> list[str]:
    """Return what does not fit, as sentences; `provided` are kinds and names of resources that
    commands make, beside those in the manifests.
    """
    checks = (
        _missing(manifests, provided),
        _pods(manifests),
        _ports(manifests),
        _selectors(manifests),
        _number_of_pods(manifests),
        _transport(manifests),
        _certificate(manifests),
        _metadata(manifests),
    )
    return [problem for check in checks for problem in check]


def _missing(manifests: list[Manifest], provided: frozenset[tuple[str, str]]) -> Iterator[str]:
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests} | provided
    there |= {("Secret", m["spec"]["secretName"]) for m in all_of(manifests, "Certificate")}
    for kind, name in (*_used_by_pods(manifests), *_used_by_others(manifests)):
        if (kind, name) not in there:
            yield f"{kind} {name} is missing"


def _used_by_pods(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    for pod in pod_specs(manifests):
        yield "ServiceAccount", pod["serviceAccountName"]
        for volume in pod["volumes"]:
            for source, (kind, field) in SOURCES.items():
                if source in volume:
                    yield kind, volume[source][field]


def _used_by_others(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    for manifest in manifests:
        spec = manifest.get("spec", {})
        references: list[Manifest] = []
        match manifest["kind"]:
            case "HorizontalPodAutoscaler":
                references = [spec["scaleTargetRef"]]
            case "BackendTLSPolicy":
                references = [*spec["targetRefs"], *spec["validation"]["caCertificateRefs"]]
            case "GRPCRoute":
                backends = [one for rule in spec["rules"] for one in rule["backendRefs"]]
                references = [{"kind": "Service", "name": one["name"]} for one in backends]
        yield from ((reference["kind"], reference["name"]) for reference in references)


def _pods(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pod_specs(manifests):
        volumes = {volume["name"]: volume.keys() - {"name"} for volume in pod["volumes"]}
        for name, sources in volumes.items():
            if len(sources) != 1:
                yield f"volume {name} has {sorted(sources)}, wanted one source"
        mounted = [mount["name"] for c in containers(pod) for mount in c["volumeMounts"]]
        if set(mounted) != volumes.keys():
            yield f"the volumes {sorted(volumes)} are mounted as {sorted(mounted)}"
        for container in containers(pod):
            for field, key in (("volumeMounts", "mountPath"), ("env", "name")):
                values = [one[key] for one in container.get(field, [])]
                if len(values) > len(set(values)):
                    yield f"{container['name']} has one {key} twice: {values}"


def _ports(manifests: list[Manifest]) -> Iterator[str]:
    ports = {port["name"] for port in server_of(manifests)["ports"]}
    used = [p["targetPort"] for s in all_of(manifests, "Service") for p in s["spec"]["ports"]]
    for monitor in all_of(manifests, "PodMonitor"):
        used += [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]]
    for policy in all_of(manifests, "NetworkPolicy"):
        rules = policy["spec"].get("ingress", [])
        used += [port["port"] for rule in rules for port in rule["ports"]]
    yield from (f"no container has the port {port}" for port in used if port not in ports)
    service = {p["name"]: p["port"] for p in the(manifests, "Service", SERVER)["spec"]["ports"]}
    for route in all_of(manifests, "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            if any(backend["port"] != service["grpc"] for backend in rule["backendRefs"]):
                yield "the route goes to a port that is not gRPC's"
    for backend_tls in all_of(manifests, "BackendTLSPolicy"):
        (target,) = backend_tls["spec"]["targetRefs"]
        if target["sectionName"] not in service:
            yield f"the service has no port {target['sectionName']}"


def _selectors(manifests: list[Manifest]) -> Iterator[str]:
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in all_of(manifests, "Deployment")]
    for manifest in manifests:
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "Service":
                selector = spec["selector"]
            case "NetworkPolicy":
                selector = spec["podSelector"]["matchLabels"]
            case "Deployment" | "PodDisruptionBudget" | "PodMonitor":
                selector = spec["selector"]["matchLabels"]
            case _:
                continue
        found = [pod for pod in labels if selector.items() <= pod.items()]
        if len(found) != 1:
            yield f"{manifest['kind']} {manifest['metadata']['name']} selects {len(found)} pods"


def _number_of_pods(manifests: list[Manifest]) -> Iterator[str]:
    deployment = the(manifests, "Deployment", SERVER)["spec"]
    autoscalers = [m["spec"] for m in all_of(manifests, "HorizontalPodAutoscaler")]
    if autoscalers:
        (autoscaler,) = autoscalers
        fewest = autoscaler["minReplicas"]
        if "replicas" in deployment:
            yield "the Deployment has replicas, which the autoscaler decides"
        if not autoscaler["metrics"]:
            yield "the autoscaler has no metric"
    elif "replicas" not in deployment:
        yield "nothing says how many pods there are"
        return
    else:
        fewest = deployment["replicas"]
    for budget in all_of(manifests, "PodDisruptionBudget"):
        if not 0 < budget["spec"]["maxUnavailable"] < fewest:
            yield f"the budget lets all of {fewest} pods, or none, go"


def _transport(manifests: list[Manifest]) -> Iterator[str]:
    has_tls = _has_tls(manifests)
    for what, scheme in _schemes(manifests):
        if (scheme == "https") is not has_tls:
            yield f"{what} speaks {scheme}, and the server {'TLS' if has_tls else 'no TLS'}"
    for service in all_of(manifests, "Service"):
        protocol = service["spec"]["ports"][0].get("appProtocol")
        if protocol != (None if has_tls else "kubernetes.io/h2c"):
            yield f"gRPC of {service['metadata']['name']} is {protocol}"
    for monitor in all_of(manifests, "PodMonitor"):
        if has_tls and not monitor["spec"]["podMetricsEndpoints"][0].get("tlsConfig"):
            yield "Prometheus asks for the address of a pod, which no certificate has"
    is_called_over_tls = bool(all_of(manifests, "BackendTLSPolicy"))
    if is_called_over_tls is not (has_tls and bool(all_of(manifests, "GRPCRoute"))):
        yield "gateway and server differ in TLS"


def _has_tls(manifests: list[Manifest]) -> bool:
    return "MLPSERVE_TLS_CERTIFICATE" in settings_of(server_of(manifests))


def _schemes(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Yield who calls the server, and how."""
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = server_of(manifests)[probe]
        yield probe, asked["httpGet"]["scheme"].lower() if "httpGet" in asked else "grpc"
    for monitor in all_of(manifests, "PodMonitor"):
        yield "PodMonitor", monitor["spec"]["podMetricsEndpoints"][0].get("scheme", "http")
    for port in the(manifests, "Service", SERVER)["spec"]["ports"]:
        if port["name"] == "http":
            yield "Service", port["appProtocol"]


def _certificate(manifests: list[Manifest]) -> Iterator[str]:
    for certificate in all_of(manifests, "Certificate"):
        names = certificate["spec"]["dnsNames"]
        ending = f".{certificate['metadata']['namespace']}.svc"
        wanted = [
            service["metadata"]["name"] + domain
            for service in all_of(manifests, "Service")
            for domain in ("", ending, f"{ending}.cluster.local")
        ]
        policies = all_of(manifests, "BackendTLSPolicy")
        wanted += [policy["spec"]["validation"]["hostname"] for policy in policies]
        yield from (f"the certificate has no name {name}" for name in wanted if name not in names)


def _metadata(manifests: list[Manifest]) -> Iterator[str]:
    namespace = the(manifests, "Namespace")["metadata"]["name"]
    pod = server_pod(manifests)
    if settings_of(server_of(manifests))["MLPSERVE_REPOSITORY"] not in {
        mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]
    }:
        yield "the repository is not mounted"
    for manifest in manifests:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        if manifest["kind"] != "Namespace" and manifest["metadata"]["namespace"] != namespace:
            yield f"{name} is in another namespace"
        if any("local-config" in key for key in manifest["metadata"].get("annotations", {})):
            yield f"{name} should have been left out"
