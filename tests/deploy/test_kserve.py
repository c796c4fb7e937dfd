"""KServe knows its manifests, and its client gets what NumPy says from the server they start."""

import json
from pathlib import Path

import numpy as np

from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ROOT, run_to_end, start_server
from tests.deploy.manifests import Manifest, server_of, settings_of, the
from tests.documents import pages

N_IMAGES = 20
MOUNT = "/mnt/models"
"""Where KServe puts what storageUri points to."""

Built = dict[str, list[Manifest]]


def arguments_of(built: Built, name: str, folder: Path) -> list[str]:
    """Return the runtime's arguments as KServe fills them in, with a folder for its mount."""
    arguments = server_of(built["kserve"])["args"]
    assert MOUNT in " ".join(arguments)
    return [part.replace(MOUNT, str(folder)).replace("{{.Name}}", name) for part in arguments]


def test_kserve_gets_what_numpy_says(
    built: Built, repository: Path, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    names = ("manifests.json", "images.npy", "example.py", "answers")
    paths = [tmp_path / name for name in names]
    examples = pages.blocks("docs/deploying-kubernetes.md", "python", section="KServe")
    example = "\n".join(block.text for block in examples)
    runtime, service = (
        the(built["kserve"], kind) for kind in ("ServingRuntime", "InferenceService")
    )
    misspelt = service | {"spec": {"predictor": {"model": {"storageURI": ""}, "minReplica": 1}}}
    paths[0].write_text(json.dumps([runtime, service, misspelt]))
    np.save(paths[1], digits[0][:N_IMAGES])
    name = service["metadata"]["name"]
    arguments = arguments_of(built, name, repository)
    variables = settings_of(server_of(built["kserve"]))
    with start_server(repository, *arguments, **variables) as server:
        for forwarded, address in (
            ("localhost:8033", server.grpc_address),
            ("localhost:8034", server.http_address),
        ):
            assert forwarded in example
            example = example.replace(forwarded, address)
        paths[2].write_text(example)
        script = Path(__file__).with_name("kserve_calls.py")
        addresses = server.grpc_address, server.http_address
        isolated.run("kserve", [script, *addresses, name, *paths])
    # By gRPC and by HTTP.
    assert (tmp_path / "answers.txt").read_text().count("'labels': array(") == 2
    unknown = json.loads((tmp_path / "answers.json").read_text())
    assert unknown == [[], [], ["minReplica", "storageURI"]]
    reference = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    *_, activations = reference.forward(digits[0][:N_IMAGES])
    with np.load(tmp_path / "answers.npz") as found:
        for way in ("binary", "typed", "rest"):
            np.testing.assert_array_equal(found[f"{way}_labels"], activations.argmax(axis=1))
            np.testing.assert_allclose(found[f"{way}_activations"], activations, rtol=0, atol=1e-5)


def test_a_repository_without_the_name_is_explained(built: Built, repository: Path) -> None:
    ended = run_to_end(*arguments_of(built, "letters", repository))
    assert ended.returncode == 1
    assert f"the default model 'letters' is not in {repository}; it holds: digits" in ended.stderr


def test_service_and_runtime_belong_together(built: Built) -> None:
    runtime = the(built["kserve"], "ServingRuntime")
    predictor = the(built["kserve"], "InferenceService")["spec"]["predictor"]
    model = predictor["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert runtime["spec"]["protocolVersions"] == ["v2", "grpc-v2"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    (known,) = runtime["spec"]["supportedModelFormats"]
    assert model["modelFormat"].items() <= known.items()
    assert [port["name"] for port in server_of(built["kserve"])["ports"]] == ["h2c", "http1"]
    claim = the(built["models-from-volume"], "PersistentVolumeClaim")["metadata"]["name"]
    assert model["storageUri"] == f"pvc://{claim}"
