"""The manifests are what Kubernetes takes, and what its strictest rules for pods let in."""

import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from harness import isolated
from harness.server_process import ROOT
from harness.waiting import PATIENCE_SECONDS
from tests.deploy.custom_resources import is_custom, unknown_fields
from tests.deploy.manifests import BUILT, PODS, Manifest, containers, pod_specs, server_pod, the

OLDEST, NEWEST = "1.27", "1.37"
"""The versions of Kubernetes whose schemas the manifests have to fit."""

USER = 10001
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
VOLUMES = {"emptyDir", "image", "persistentVolumeClaim", "secret"}
"""Those in use, all of which the restricted profile allows."""

Built = dict[str, list[Manifest]]


def validate(manifests: Iterable[Manifest], folder: Path, version: str = NEWEST) -> None:
    """Check manifests with the schemas of a Kubernetes version; raises CalledProcessError."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    options = ["--strict", "--quiet", "-k", version]
    isolated.run("kubernetes", ["-m", "kubernetes_validate", *options, file])


def test_kubernetes_takes_them(built: Built, tmp_path: Path) -> None:
    # Those that are the same are one object.
    different = {id(m): m for name in BUILT for m in built[name]}.values()
    everything = [m for m in different if not is_custom(m)]
    # What KServe makes a pod of.
    runtime = {"containers": the(built["kserve"], "ServingRuntime")["spec"]["containers"]}
    everything.append({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": runtime})
    assert {"Deployment", "HorizontalPodAutoscaler"} <= {m["kind"] for m in everything}
    validate(everything, tmp_path)


def test_a_misspelt_field_is_found(
    built: Built, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    deployment = the(built["dev"], "Deployment")
    spec = deployment["spec"] | {"minReadySecond": 1}
    with pytest.raises(subprocess.CalledProcessError):
        validate([deployment | {"spec": spec}], tmp_path)
    assert "minReadySecond" in "".join(capfd.readouterr())


def test_custom_resources_have_known_fields(built: Built) -> None:
    kserve = "serving.kserve.io"  # Its own client checks those, in test_kserve.py.
    custom = [
        manifest
        for name in BUILT
        for manifest in built[name]
        if is_custom(manifest) and not manifest["apiVersion"].startswith(kserve)
    ]
    assert {"PodMonitor", "GRPCRoute", "Certificate"} <= {manifest["kind"] for manifest in custom}
    assert [unknown_fields(manifest) for manifest in custom] == [set()] * len(custom)
    monitor = the(built["production"], "PodMonitor")
    assert unknown_fields(monitor | {"spec": {"joblabel": "a"}}) == {"spec.joblabel"}


@pytest.mark.parametrize("name", BUILT)
def test_images_are_pinned(built: Built, name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    wanted = "dev" if name == "dev" else version
    for pod in pod_specs(built[name]):
        assert {container["image"].rpartition(":")[2] for container in containers(pod)} == {wanted}
        for volume in pod.get("volumes", []):
            if "image" in volume:
                assert volume["image"]["reference"].rpartition(":")[2].isdecimal()


@pytest.mark.parametrize("name", BUILT)
def test_everything_has_limits(built: Built, name: str) -> None:
    for pod in pod_specs(built[name]):
        for container in containers(pod):
            resources = container["resources"]
            assert resources.keys() == {"requests", "limits"}
            assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
            # What is promised is there: nobody's memory is taken away when a node is full.
            assert resources["requests"]["memory"] == resources["limits"]["memory"]
        for volume in pod.get("volumes", []):
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", PODS)
def test_pods_are_restricted(built: Built, name: str) -> None:
    for pod in pod_specs(built[name]):
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod["automountServiceAccountToken"] is False
        assert [c["securityContext"] for c in containers(pod)] == [CONFINED] * len(containers(pod))
        assert {kind for volume in pod["volumes"] for kind in volume} - {"name"} <= VOLUMES
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert f"USER {USER}" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", PODS)
def test_the_namespace_enforces_it(built: Built, name: str) -> None:
    namespace = the(built[name], "Namespace")["metadata"]
    for mode in ("enforce", "audit", "warn"):
        assert namespace["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
    others = [manifest for manifest in built[name] if manifest["kind"] != "Namespace"]
    assert {manifest["metadata"]["namespace"] for manifest in others} == {namespace["name"]}


def test_models_come_from_where_the_component_says(built: Built) -> None:
    for name in PODS:
        pod = server_pod(built[name])
        (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "models")
        assert all(mount["readOnly"] for mount in pod["containers"][0]["volumeMounts"])
        kinds = {"models-from-image": "image", "models-from-volume": "persistentVolumeClaim"}
        assert volume.keys() == {"name", kinds.get(name, "emptyDir")}
        assert bool(pod["initContainers"]) is (name != "models-from-image")


def test_pods_wait_for_the_first_model(built: Built, tmp_path: Path) -> None:
    (container,) = server_pod(built["models-from-volume"])["initContainers"]
    *shell, script = container["command"]
    command = [*shell, script.replace("/models/", f"{tmp_path}/")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "no model yet" in process.stdout.readline()
        assert process.poll() is None
        model = tmp_path / "digits" / "1" / "model.onnx"
        model.parent.mkdir(parents=True)
        model.touch()
        assert process.wait(PATIENCE_SECONDS) == 0
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == (f"{model}\n", "")
