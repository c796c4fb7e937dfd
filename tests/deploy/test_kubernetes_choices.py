"""Production is a whole whichever components are chosen, and a choice that is refused fails with a
message. Every set of components that the page allows is built.
"""

import copy
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from harness.server_process import ROOT, environment
from tests.deploy.custom_resources import is_custom, unknown_fields
from tests.deploy.manifests import (
    CHOSEN,
    EXCLUSIVE,
    KUBERNETES,
    OPTIONS,
    SERVER,
    Manifest,
    all_of,
    choose,
    kustomize,
    read,
    server_of,
    server_pod,
    settings_of,
    the,
    try_kustomize,
)
from tests.deploy.references import problems
from tests.deploy.test_kubernetes import OLDEST, validate
from tests.documents import pages

PAGE = "docs/deploying-kubernetes.md"
COMPONENTS = (*CHOSEN, *OPTIONS)
CREATED = re.compile(r"create (configmap|secret generic) ([\w-]+)")

Choice = frozenset[str]
Built = dict[Choice, list[Manifest]]


def choices() -> set[Choice]:
    """Return the sets of components that can be chosen."""
    sizes = range(len(COMPONENTS) + 1)
    sets = (frozenset(some) for n in sizes for some in itertools.combinations(COMPONENTS, n))
    return {some for some in sets if not some >= EXCLUSIVE}


@pytest.fixture(scope="module")
def built(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The manifests of each choice."""

    def build(choice: Choice) -> list[Manifest]:
        names = [name for name in COMPONENTS if name in choice]
        return read(kustomize(kubectl, choose(tmp_path_factory.mktemp("choice"), names)))

    chosen = sorted(choices(), key=sorted)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(chosen, pool.map(build, chosen), strict=True))


@pytest.fixture(scope="module")
def provided() -> frozenset[tuple[str, str]]:
    """The kinds and names of resources that commands of the page make."""
    text = "".join(block.text for block in pages.blocks(PAGE, "sh", "TLS and tokens"))
    kinds = {"configmap": "ConfigMap", "secret generic": "Secret"}
    return frozenset((kinds[kind], name) for kind, name in CREATED.findall(text))


def test_the_lists_of_components_agree() -> None:
    folders = {folder.name for folder in (KUBERNETES / "components").iterdir()}
    rows = re.findall(r"^\| `([\w-]+)`( \(chosen\))? \|", pages.text(PAGE), re.MULTILINE)
    overlay = (KUBERNETES / "overlays" / "production" / "kustomization.yaml").read_text()
    assert set(COMPONENTS) == folders == {name for name, _ in rows}
    assert set(re.findall(r"components/([\w-]+)", overlay)) == folders
    chosen = [Path(path).name for path in yaml.safe_load(overlay)["components"]]
    assert list(CHOSEN) == chosen == [name for name, is_chosen in rows if is_chosen]


def test_each_choice_is_a_whole(built: Built, provided: frozenset[tuple[str, str]]) -> None:
    found = {tuple(sorted(c)): problems(manifests, provided) for c, manifests in built.items()}
    assert len(found) == 192
    assert {choice: sentences for choice, sentences in found.items() if sentences} == {}


def test_kubernetes_takes_each_choice(built: Built, tmp_path: Path) -> None:
    # Those that are the same are one object.
    different = {id(m): m for manifests in built.values() for m in manifests}.values()
    assert {field for m in different if is_custom(m) for field in unknown_fields(m)} == set()
    known = [m for m in different if not is_custom(m)]
    validate(known, tmp_path)
    # Image volumes are newer, as the page says.
    older = [m for m in known if "'image': {'pullPolicy'" not in str(m)]
    assert len(older) < len(known)
    validate(older, tmp_path, OLDEST)


def test_each_component_does_what_it_says(built: Built) -> None:
    scaled = built[frozenset({"autoscaling"})]
    fewest = the(scaled, "HorizontalPodAutoscaler")["spec"]["minReplicas"]
    for choice, manifests in built.items():
        kinds = {m["kind"] for m in manifests}
        variables = settings_of(server_of(manifests))
        (volume,) = (v for v in server_pod(manifests)["volumes"] if v["name"] == "models")
        autoscalers = all_of(manifests, "HorizontalPodAutoscaler")
        metrics = [m["type"] for one in autoscalers for m in one["spec"]["metrics"]]
        replicas = the(manifests, "Deployment", SERVER)["spec"].get("replicas")
        assert choice == {
            *(("autoscaling",) if "Resource" in metrics else ()),
            *(("scale-on-calls",) if "Pods" in metrics else ()),
            *(("monitoring",) if {"PodMonitor", "PrometheusRule", "ConfigMap"} <= kinds else ()),
            *(("tls",) if "Certificate" in kinds else ()),
            *(("gateway",) if "GRPCRoute" in kinds else ()),
            *(("tokens",) if "MLPSERVE_TOKENS_FILE" in variables else ()),
            *(("models-from-image",) if "image" in volume else ()),
            *(("models-from-volume",) if "persistentVolumeClaim" in volume else ()),
        }
        assert replicas == (None if metrics else fewest)
        callers = len(the(manifests, "NetworkPolicy", SERVER)["spec"]["ingress"])
        assert callers == (3 if "gateway" in choice else 2)


def test_the_server_takes_the_settings_of_each_choice(built: Built) -> None:
    different = {tuple(sorted(settings_of(server_of(m)).items())) for m in built.values()}
    # TLS or not, with and without tokens.
    assert len(different) == 4
    for settings in different:
        command = [sys.executable, "-m", "server", "--print-config"]
        variables = environment(**dict(settings))
        ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("# environment") == len(settings)


def test_the_order_of_components_makes_no_difference(kubectl: Path, tmp_path: Path) -> None:
    for number, excluded in enumerate(sorted(EXCLUSIVE)):
        names = [name for name in COMPONENTS if name != excluded]
        texts: list[list[str]] = []
        for order in (names, names[::-1]):
            folder = tmp_path / f"{number}-{len(texts)}"
            text = kustomize(kubectl, choose(folder, order))
            # But for that of settings and volumes, and of the two metrics.
            texts.append(sorted(text.splitlines()))
        assert texts[0] == texts[1]


@pytest.mark.parametrize("overlay", ["production", "dev"])
def test_components_work_on_top_of_an_overlay(
    kubectl: Path, tmp_path: Path, overlay: str, provided: frozenset[tuple[str, str]]
) -> None:
    """In a kustomization of one's own, and in another namespace."""
    relative = os.path.relpath(KUBERNETES, tmp_path)
    names = [name for name in OPTIONS if name != "models-from-image"]
    content = {
        "resources": [f"{relative}/overlays/{overlay}"],
        "components": [f"{relative}/components/{name}" for name in names],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    manifests = read(kustomize(kubectl, tmp_path))
    assert problems(manifests, provided) == []
    names = [image for m in manifests for image in re.findall(r"'image': '([^']*)'", str(m))]
    assert len(names) == 3
    assert all(re.fullmatch(r"(registry.example.com/)?mlpserve[\w-]*:[\w.]+", n) for n in names)


def test_a_namespace_is_in_the_certificates_names(kubectl: Path, tmp_path: Path) -> None:
    folder = choose(tmp_path, ["tls", "gateway"])
    file = folder / "kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: mlpserve", "namespace: shop"))
    manifests = read(kustomize(kubectl, folder))
    certificate = the(manifests, "Certificate")
    assert certificate["metadata"]["namespace"] == "shop"
    assert problems(manifests, frozenset({("ConfigMap", "mlpserve-ca")})) == []


@pytest.mark.parametrize(
    "names",
    [
        ["models-from-image", "models-from-volume"],
        ["models-from-volume", "models-from-image"],
        ["models-from-volume", "models-from-volume"],
    ],
)
def test_models_come_from_one_place(kubectl: Path, tmp_path: Path, names: list[str]) -> None:
    ended = try_kustomize(kubectl, choose(tmp_path, names))
    assert (ended.returncode, ended.stdout) == (1, "")
    message = "choose either models-from-image or models-from-volume"
    assert message in ended.stderr
    assert message in pages.text(PAGE)


def drop(kind: str) -> Callable[[list[Manifest]], None]:
    """Return what takes the manifests of a kind out."""

    def change(manifests: list[Manifest]) -> None:
        manifests[:] = [m for m in manifests if m["kind"] != kind]

    return change


def edit(kind: str, change: str) -> Callable[[list[Manifest]], None]:
    """Return what runs a statement about `m`, the first manifest of a kind."""
    return lambda manifests: exec(change, {"m": all_of(manifests, kind)[0]["spec"]})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (drop("PersistentVolumeClaim"), "PersistentVolumeClaim mlpserve-models is missing"),
        (drop("Certificate"), "Secret mlpserve-tls is missing"),
        (drop("BackendTLSPolicy"), "gateway and server differ in TLS"),
        (drop("HorizontalPodAutoscaler"), "nothing says how many pods there are"),
        (edit("Deployment", "m['replicas'] = 3"), "the Deployment has replicas"),
        (edit("HorizontalPodAutoscaler", "m['metrics'].clear()"), "the autoscaler has no metric"),
        (edit("PodMonitor", "del m['podMetricsEndpoints'][0]['scheme']"), "PodMonitor speaks http"),
        (edit("Service", "m['ports'][0]['targetPort'] = 'rpc'"), "no container has the port rpc"),
        (edit("Service", "m['selector'] = {'app': 'x'}"), "Service mlpserve selects 0 pods"),
        (edit("Certificate", "del m['dnsNames'][0]"), "the certificate has no name mlpserve"),
        (edit("PodDisruptionBudget", "m['maxUnavailable'] = 3"), "the budget lets all of 3 pods"),
    ],
)
def test_what_does_not_fit_is_found(
    built: Built,
    provided: frozenset[tuple[str, str]],
    change: Callable[[list[Manifest]], None],
    sentence: str,
) -> None:
    manifests = copy.deepcopy(built[frozenset(COMPONENTS) - {"models-from-image"}])
    change(manifests)
    assert sentence in " ".join(problems(manifests, provided))
