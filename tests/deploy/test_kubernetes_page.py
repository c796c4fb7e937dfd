"""The commands of docs/deploying-kubernetes.md are for what is in the manifests.

There is no cluster here: kubectl reads the commands and the manifests, and the exporter runs its
own. The block that calls the server is README.md's, which tests/documents runs, and those of
KServe's client run in test_kserve.py.
"""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from harness.server_process import ROOT
from server.files.tokens import read_tokens
from tests.deploy.manifests import (
    KUBERNETES,
    SERVER,
    Manifest,
    all_of,
    kustomize,
    read,
    server_of,
    server_pod,
    settings_of,
    the,
)
from tests.deploy.pasted import Shell, shell
from tests.documents import pages

PAGE = "docs/deploying-kubernetes.md"
Built = dict[str, list[Manifest]]
Calls = list[list[str]]
CHECKED = ("In production", "The number of pods")
"""The sections below the first that have no test of their own."""


@pytest.fixture(scope="module")
def pasted(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in the root of a clone."""
    return shell(tmp_path_factory.mktemp("pasted"), kubectl)


def options(call: list[str], name: str) -> list[str]:
    """Return the values of an option, which may follow = or stand by themselves."""
    after = [value for option, value in itertools.pairwise(call) if option == name]
    return after + [part.partition("=")[2] for part in call if part.startswith(f"{name}=")]


def plain(call: list[str]) -> list[str]:
    """Return the words of a call of kubectl without its options, up to a pod's own command."""
    words = call[1 : call.index("--")] if "--" in call else call[1:]
    valued = {"-n", "-k", "-f", "--output"}
    return [
        word
        for before, word in zip(("", *words), words, strict=False)
        if not word.startswith("-") and before not in valued
    ]


def there(built: Built, namespace: str, kind: str, name: str) -> Manifest:
    """Return a resource of this namespace, which the manifests or a component add."""
    kinds = {m["kind"].lower(): m["kind"] for manifests in built.values() for m in manifests}
    found = [
        m
        for manifests in built.values()
        for m in all_of(manifests, kinds[kind], name)
        if m["metadata"].get("namespace") == namespace
    ]
    assert found, f"{kind} {name} is not in {namespace}"
    return found[0]


def check(built: Built, call: list[str]) -> None:
    """Check that a call of kubectl is about what the manifests have."""
    paths = call[2:] if call[1] == "kustomize" else options(call, "-k")
    for path in paths:
        assert (ROOT / path / "kustomization.yaml").exists()
        assert (ROOT / path).name in built
    (namespace,) = options(call, "-n") or [""]
    match plain(call):
        case ["rollout", "status", target] | ["exec" | "scale" | "wait", target]:
            there(built, namespace, *target.split("/"))
        case ["get" | "delete", "inferenceservice" | "horizontalpodautoscaler" as kind, name]:
            there(built, namespace, kind, name)
        case ["port-forward", target, *ports]:
            forwarded(built, namespace, target, [port.rpartition(":")[2] for port in ports])
        case ["label", "namespace", _, label]:
            (caller, *_others) = the(built["production"], "NetworkPolicy", SERVER)["spec"][
                "ingress"
            ]
            key, value = label.split("=")
            assert caller["from"][1] == {"namespaceSelector": {"matchLabels": {key: value}}}
        case ["create", "namespace", name]:
            assert {m["metadata"]["namespace"] for m in built["kserve"]} == {name}
        case ["get", "secret", name]:
            assert the(built["tls"], "Certificate")["spec"]["secretName"] == name
        case ["create", "configmap" | "secret", *_]:
            assert options(call, "--from-file")
        case ["apply" | "diff" | "delete" | "kustomize" | "replace", *_]:
            assert paths or options(call, "-f") == ["-"]
        case _:
            pytest.fail(f"nothing checks {call}")


def forwarded(built: Built, namespace: str, target: str, ports: list[str]) -> None:
    """Check a service's ports; KServe makes one for each InferenceService, with port 80 first."""
    name = target.removeprefix("service/")
    if name.endswith("-predictor"):
        there(built, namespace, "inferenceservice", name.removesuffix("-predictor"))
        _, http = server_of(built["kserve"])["ports"]
        assert ports == ["80", str(http["containerPort"])]
    else:
        service = there(built, namespace, "service", name)
        assert ports == [str(port["port"]) for port in service["spec"]["ports"]]


def built_images(calls: Calls) -> set[str]:
    """Return the names of images that calls of docker build, from what is there."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    names = set()
    for call in calls:
        if call[:2] == ["docker", "build"]:
            assert all(f" AS {stage}\n" in dockerfile for stage in options(call, "--target"))
            assert call[-1] in (".", "models")
            names |= set(options(call, "--tag"))
    return names


def images_of(manifests: list[Manifest]) -> set[str]:
    """Return the names of the images that the server's pods run or mount."""
    pod = server_pod(manifests)
    running = {c["image"] for c in (*pod["containers"], *pod.get("initContainers", []))}
    return running | {v["image"]["reference"] for v in pod["volumes"] if "image" in v}


def test_a_laptop(pasted: Shell, built: Built) -> None:
    blocks = pages.blocks(PAGE, "sh", "On a laptop")
    install, predict, remove = (block.text for block in blocks)
    # Which runs it.
    assert predict.strip() in pages.text("README.md")
    calls, _ = pasted.run(install + remove)
    loaded = [set(call[3:]) for call in calls if call[0] == "kind"]
    assert loaded == [built_images(calls)] == [images_of(built["dev"])]
    for call in calls:
        if call[0] == "kubectl":
            check(built, call)


def test_production(pasted: Shell, built: Built) -> None:
    blocks = pages.blocks(PAGE, "sh", "In production")
    images, *others = (b.text for b in blocks if b.headings[-1] in CHECKED)
    calls, _ = pasted.run(images)
    assert built_images(calls) == images_of(built["production"])
    assert {call[2] for call in calls if call[1] == "push"} == built_images(calls)
    for commands in others:
        calls, _ = pasted.run(commands)
        for call in calls:
            check(built, call)


def test_own_changes(pasted: Shell) -> None:
    (block,) = pages.blocks(PAGE, "sh", "Your own changes")
    pasted.run(block.text)
    printed = (pasted.folder / "my-cluster.yaml").read_text()
    assert settings_of(server_of(read(printed)))["MLPSERVE_LOG_LEVEL"] == "debug"
    # With the components, the patches of what they add take effect.
    file = pasted.folder / "my-cluster" / "kustomization.yaml"
    chosen = [f"  - ../deploy/kubernetes/components/{name}\n" for name in ("tls", "gateway")]
    file.write_text(f"{file.read_text()}components:\n{''.join(chosen)}")
    manifests = read(kustomize(Path(pasted.variables["KUBECTL"]), file.parent))
    assert the(manifests, "Certificate")["spec"]["issuerRef"]["name"] == "our-issuer"
    assert the(manifests, "GRPCRoute")["spec"]["hostnames"] == ["digits.shop.test"]


def test_the_authority_is_where_the_gateway_reads_it(pasted: Shell, built: Built) -> None:
    calls, _ = pasted.run(pages.block(PAGE, "create configmap").text)
    for call in calls:
        check(built, call)
    (created,) = (call for call in calls if "create" in call)
    text = (KUBERNETES / "base" / "optional" / "backend-tls.yaml").read_text()
    policy = yaml.safe_load(text)["spec"]["validation"]
    assert policy["caCertificateRefs"] == [{"group": "", "kind": "ConfigMap", "name": created[-2]}]
    # The key that the Gateway API wants.
    assert options(created, "--from-file") == ["ca.crt"]
    assert (pasted.folder / "ca.crt").read_text() == "ca\n"


def test_tokens_are_where_the_server_reads_them(pasted: Shell, built: Built) -> None:
    first = pages.block(PAGE, "openssl rand").text
    change = pages.block(PAGE, "--from-file=tokens --dry-run").text
    calls, _ = pasted.run(first + change)
    names = {call[call.index("generic") + 1] for call in calls if "generic" in call}
    (volume,) = (v for v in server_pod(built["tokens"])["volumes"] if v["name"] == "tokens")
    assert names == {volume["secret"]["secretName"]}
    file = Path(settings_of(server_of(built["tokens"]))["MLPSERVE_TOKENS_FILE"])
    assert {file.name} == {name for call in calls for name in options(call, "--from-file")}
    assert list(read_tokens(pasted.folder / file.name).values()) == ["shop"]


def test_models_in_an_image(pasted: Shell, built: Built) -> None:
    calls, _ = pasted.run(pages.block(PAGE, "FROM busybox").text)
    assert built_images(calls) <= images_of(built["models-from-image"])
    assert {call[2] for call in calls if call[1] == "push"} == built_images(calls)
    base, copy = pasted.input.splitlines()
    assert re.fullmatch(r"FROM busybox:[\d.]+", base)
    (mount,) = server_of(built["models-from-image"])["volumeMounts"]
    # What is copied is the folder's content; .dockerignore would keep it out of the clone's.
    assert copy == f"COPY . /{mount['subPath']}"
    (build,) = (call for call in calls if call[1] == "build")
    assert (pasted.folder / build[-1] / "digits" / "1" / "model.onnx").exists()


def test_models_in_a_volume(pasted: Shell, built: Built) -> None:
    pod = the(built["models-from-volume"], "Deployment", "mlpserve-exporter")
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "WORKDIR /app\n" in dockerfile
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/app/models"]
    blocks = (
        pages.block(PAGE, "python -m exporter export\n"),
        pages.block(PAGE, "--weights -"),
        pages.block(PAGE, "retire digits"),
    )
    printed = []
    for block in blocks:
        calls, output = pasted.run(block.text)
        printed.append(output)
        for call in calls:
            check(built, call)
    assert printed[:2] == [f"models/digits/{version}/model.onnx\n" for version in (1, 2)]
    assert "retired digits, version 2; version 1 is the newest now\n" in printed[2]
    assert "restored digits, version 2; version 2 is the newest now\n" in printed[2]


def test_kserve(pasted: Shell, built: Built) -> None:
    calls, _ = pasted.run(pages.block(PAGE, "-k deploy/kserve").text)
    for call in calls:
        check(built, call)


def test_the_rolling_update_is_a_test() -> None:
    (block,) = pages.blocks(PAGE, "sh", "A rolling update")
    program, options, file = block.text.rsplit(" ", 2)
    assert (program, options) == (".venv/bin/python -m pytest", "-rP")
    assert "print(" in (ROOT / file.strip()).read_text()


def test_callers_that_balance_find_the_pods(built: Built) -> None:
    (block,) = pages.blocks(PAGE, "python", "Calls")
    compile(block.text, PAGE, "exec")
    ((host, port),) = re.findall(r'"dns:///([\w.-]+):(\d+)"', block.text)
    service = the(built["production"], "Service", host.split(".")[0])
    assert service["spec"]["clusterIP"] == "None"
    assert int(port) == service["spec"]["ports"][0]["port"]
    assert host.split(".")[1] == service["metadata"]["namespace"]
    # So that it is called over TLS as well.
    assert host in the(built["tls"], "Certificate")["spec"]["dnsNames"]


def test_files_that_are_named_exist() -> None:
    text = pages.text(PAGE)
    for path in re.findall(r"\b(?:tests/)?deploy/[\w/.-]*\w", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`([\w-]+\.yaml)`", text):
        assert list(KUBERNETES.rglob(name)), name
