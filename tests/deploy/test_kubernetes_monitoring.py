"""Rules, dashboards and the autoscaler's metric are what deploy/ has of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.kubernetes import generate
from harness.server_process import ROOT
from tests.deploy.manifests import KUBERNETES, Manifest, the

PROMTOOL = shutil.which("promtool")
MAX_BYTES = 256 * 1024
"""What kubectl can keep of an object in its annotation."""

Built = dict[str, list[Manifest]]


def test_generated_files_are_current() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in generate.generate().items()
        if not path.exists() or path.read_text() != text
    ]
    assert not stale, "run `make k8s`, or `.venv/bin/python -m deploy.kubernetes.generate`"


def test_rules_are_those_of_prometheus(built: Built) -> None:
    found = {m["metadata"]["name"]: m["spec"] for m in built["production"] if _is_rule(m)}
    files = generate.RULES.glob("*.yml")
    assert found == {f"mlpserve-{file.stem}": yaml.safe_load(file.read_text()) for file in files}


def test_dashboards_are_those_of_grafana(built: Built) -> None:
    maps = [m for m in built["production"] if m["kind"] == "ConfigMap"]
    files = {file.name: file.read_text() for file in generate.DASHBOARDS.glob("*.json")}
    assert {name: text for m in maps for name, text in m["data"].items()} == files
    for config_map in maps:
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert sum(map(len, config_map["data"].values())) < MAX_BYTES


def test_files_that_are_not_current_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, folder in (("RULES", "rules"), ("DASHBOARDS", "boards"), ("MONITORING", "out")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(generate, name, tmp_path / folder)
    rules = "# Why.\ngroups:\n  - name: a\n    rules:\n      - {record: b, expr: c}\n"
    (tmp_path / "rules" / "some.yml").write_text(rules)
    (tmp_path / "boards" / "model.json").write_text("{}")
    generate.main()
    written = yaml.safe_load((tmp_path / "out" / "rules.yaml").read_text())
    assert written["metadata"]["name"] == "mlpserve-some"
    assert written["spec"] == yaml.safe_load(rules)
    listed = yaml.safe_load((tmp_path / "boards" / "kustomization.yaml").read_text())
    name = "mlpserve-dashboard-model"
    assert listed["configMapGenerator"] == [{"name": name, "files": ["model.json"]}]
    assert capsys.readouterr().out.count("wrote") == 2
    generate.main()
    assert capsys.readouterr().out == ""


def test_the_job_is_the_one_that_rules_ask_for(built: Built) -> None:
    monitor = the(built["production"], "PodMonitor")["spec"]
    template = the(built["production"], "Deployment")["spec"]["template"]
    job = template["metadata"]["labels"][monitor["jobLabel"]]
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert job in [scrape["job_name"] for scrape in config["scrape_configs"]]


@pytest.mark.skipif(
    not (PROMTOOL or os.environ.get("CI")),
    reason="promtool is not installed: apt-get install prometheus",
)
def test_the_autoscaler_sees_the_calls_in_progress(built: Built, tmp_path: Path) -> None:
    assert PROMTOOL
    file = KUBERNETES / "components" / "scale-on-calls" / "prometheus-adapter.yaml"
    (rule,) = yaml.safe_load(file.read_text())["rules"]["custom"]
    asked = the(built["scale-on-calls"], "HorizontalPodAutoscaler")["spec"]["metrics"][1]["pods"]
    assert asked["metric"]["name"] == rule["name"]["as"]
    # What the adapter fills in for a pod.
    series, _, matchers = rule["seriesQuery"].partition("{")
    query = rule["metricsQuery"].replace("<<.Series>>", series).replace("<<.GroupBy>>", "pod")
    query = query.replace("<<.LabelMatchers>>", 'namespace="n",pod=~"p"')
    sample = f'{series}{{job="mlpserve",namespace="n",pod="p",grpc_type='
    case: Manifest = {
        "interval": "15s",
        # In each 15 s, 45 s are spent in calls of worker 0 and 15 s in those of worker 1.
        "input_series": [
            {"series": sample + '"unary",worker="0"}', "values": "0+45x40"},
            {"series": sample + '"unary",worker="1"}', "values": "0+15x40"},
            {"series": sample + '"bidi_stream",worker="0"}', "values": "0x20 3600x20"},
        ],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": "6m",
                "exp_samples": [{"labels": '{pod="p"}', "value": 4}],
            }
        ],
    }
    assert matchers == 'job="mlpserve",namespace!="",pod!=""}'
    tests = tmp_path / "tests.yml"
    tests.write_text(yaml.safe_dump({"tests": [case]}))
    subprocess.run([PROMTOOL, "test", "rules", tests], check=True)


def test_make_prints_the_manifests(kubectl: Path, texts: dict[str, str]) -> None:
    # Else it would write files of the repository.
    test_generated_files_are_current()
    path = f"{kubectl.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
    ended = make_k8s(path)
    assert (ended.returncode, ended.stdout) == (0, texts["production"]), ended.stderr
    images = [f"registry.example.com/{name}:0.1.0" for name in ("mlpserve-exporter", "mlpserve")]
    assert ended.stderr.splitlines() == [f"still an example: {image}" for image in images]
    ended = make_k8s(path, "OVERLAY=deploy/kubernetes/overlays/dev")
    assert (ended.stdout, ended.stderr) == (texts["dev"], "")
    ended = make_k8s(path, "OVERLAY=nowhere")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "nowhere" in ended.stderr


def test_make_says_how_to_get_kubectl(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    ended = make_k8s(str(tmp_path))
    assert ended.returncode != 0
    assert "kubectl is needed: https://kubernetes.io/" in ended.stderr
    assert not ended.stdout


def make_k8s(path: str, *variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `make k8s` with these programs."""
    make = shutil.which("make")
    assert make
    environment = {"PATH": path}
    return subprocess.run(
        [make, "k8s", *variables], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def _is_rule(manifest: Manifest) -> bool:
    return bool(manifest["kind"] == "PrometheusRule")
