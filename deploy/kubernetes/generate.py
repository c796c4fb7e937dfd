"""Puts Prometheus's rules and Grafana's dashboards where the monitoring component finds them.

`python -m deploy.kubernetes.generate` writes the files and names those that it changed.
"""

import textwrap
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent
RULES = DEPLOY / "prometheus" / "rules"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
MONITORING = DEPLOY / "kubernetes" / "components" / "monitoring"

NOTE = "; written by `python -m deploy.kubernetes.generate`."

RULE = """\
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mlpserve-{name}
spec:
"""

LIST = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
generatorOptions:
  disableNameSuffixHash: true
  # Grafana's sidecar looks for it.
  labels: {grafana_dashboard: "1"}
"""

LISTED = """\
  - name: mlpserve-dashboard-{name}
    files: [{name}.json]
"""


def generate() -> dict[Path, str]:
    """Return what each generated file should hold."""
    return {
        MONITORING / "rules.yaml": _wrap_rules(),
        DASHBOARDS / "kustomization.yaml": _list_dashboards(),
    }


def _wrap_rules() -> str:
    """Make a PrometheusRule of each file of rules, whose text stays as it is, comments included."""
    text = f"# The rules of deploy/prometheus/rules as the Prometheus operator takes them{NOTE}\n"
    for file in sorted(RULES.glob("*.yml")):
        text += RULE.format(name=file.stem) + textwrap.indent(file.read_text(), "  ")
    return text


def _list_dashboards() -> str:
    """List the dashboards, a ConfigMap each: kubectl takes no object of more than 256 KiB.

    The list is beside them, since kustomize reads no file outside the folder it is in.
    """
    text = f"# The dashboards of this folder as ConfigMaps{NOTE}\n{LIST}"
    if names := sorted(file.stem for file in DASHBOARDS.glob("*.json")):
        text += "configMapGenerator:\n" + "".join(LISTED.format(name=name) for name in names)
    return text


def main() -> None:
    """Write the files that are not current."""
    for path, text in generate().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
