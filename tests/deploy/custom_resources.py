"""The fields of custom resources that deploy/ uses, which no schema at hand knows.

From the definitions of Prometheus operator 0.86, Gateway API 1.4 and cert-manager 1.19. `[]` stands
for the elements of a list and `*` for any name.
"""

from collections.abc import Iterator

from tests.deploy.manifests import Manifest

METADATA = {"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.labels.*"}

FIELDS = {
    ("monitoring.coreos.com/v1", "PodMonitor"): {
        "spec.jobLabel",
        "spec.selector.matchLabels.*",
        "spec.podMetricsEndpoints[].port",
        "spec.podMetricsEndpoints[].path",
        "spec.podMetricsEndpoints[].interval",
        "spec.podMetricsEndpoints[].scrapeTimeout",
        "spec.podMetricsEndpoints[].scheme",
        "spec.podMetricsEndpoints[].tlsConfig.insecureSkipVerify",
    },
    ("monitoring.coreos.com/v1", "PrometheusRule"): {
        "spec.groups[].name",
        "spec.groups[].interval",
        "spec.groups[].limit",
        "spec.groups[].rules[].record",
        "spec.groups[].rules[].alert",
        "spec.groups[].rules[].expr",
        "spec.groups[].rules[].for",
        "spec.groups[].rules[].keep_firing_for",
        "spec.groups[].rules[].labels.*",
        "spec.groups[].rules[].annotations.*",
    },
    ("cert-manager.io/v1", "Certificate"): {
        "spec.secretName",
        "spec.issuerRef.kind",
        "spec.issuerRef.name",
        "spec.duration",
        "spec.renewBefore",
        "spec.dnsNames[]",
    },
    ("gateway.networking.k8s.io/v1", "BackendTLSPolicy"): {
        "spec.targetRefs[].group",
        "spec.targetRefs[].kind",
        "spec.targetRefs[].name",
        "spec.targetRefs[].sectionName",
        "spec.validation.hostname",
        "spec.validation.caCertificateRefs[].group",
        "spec.validation.caCertificateRefs[].kind",
        "spec.validation.caCertificateRefs[].name",
    },
    ("gateway.networking.k8s.io/v1", "GRPCRoute"): {
        "spec.parentRefs[].name",
        "spec.parentRefs[].namespace",
        "spec.parentRefs[].sectionName",
        "spec.hostnames[]",
        "spec.rules[].matches[].method.type",
        "spec.rules[].matches[].method.service",
        "spec.rules[].backendRefs[].name",
        "spec.rules[].backendRefs[].port",
    },
}


def is_custom(manifest: Manifest) -> bool:
    """Whether Kubernetes itself does not know this kind."""
    group = manifest["apiVersion"].partition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group.startswith("gateway."))


def unknown_fields(manifest: Manifest) -> set[str]:
    """Return the fields of a custom resource that are not in `FIELDS`."""
    known = METADATA | FIELDS[manifest["apiVersion"], manifest["kind"]]
    maps = tuple(field.removesuffix("*") for field in known if field.endswith(".*"))
    return {field for field in _fields(manifest, "") if not field.startswith(maps)} - known


def _fields(value: object, path: str) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _fields(inner, f"{path}.{name}" if path else name)
        case list():
            for inner in value:
                yield from _fields(inner, f"{path}[]")
        case _:
            yield path
