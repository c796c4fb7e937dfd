"""The code in docs/importing.md runs as it stands, a section after the other."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

from exporter import cli, network
from exporter.importing.source import Array
from harness.networks import random_batch, random_network
from tests.documents import pages
from tests.exporter.classifiers import images_and_digits

PAGE = pages.text("docs/importing.md")
COMMAND = ".venv/bin/python -m exporter "
ONNX = {
    "exported": "torch_plain_dynamo",
    "flowers": "sklearn_standard",
    "bytes": "keras_flatten",
}


def evaluate(model: str, batch: Array) -> Array:
    path = Path("models") / model / "1" / "model.onnx"
    (activations,) = ReferenceEvaluator(onnx.load(path)).run(["activations"], {"pixels": batch})
    return np.asarray(activations)


def autoencoder() -> dict[str, Array]:
    encoder = random_network((6, 5, 5, 3), ("relu", "relu", "softmax"))
    names = ("encoder.0", "encoder.2", "head")
    return {
        f"{name}.{word}": array
        for name, layer in zip(names, encoder.layers, strict=True)
        for word, array in (("weight", layer.weights), ("bias", layer.biases))
    }


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # What the page's reader brings along: arrays, a state dict, Keras's arrays, and images.
    mine = random_network((6, 5, 3), ("relu", "softmax"))
    first, second = mine.layers
    names = {"W1": first.weights, "b1": first.biases, "W2": second.weights, "b2": second.biases}
    state_dict = {"0.weight": first.weights, "0.bias": first.biases}
    save_file(
        {**state_dict, "2.weight": second.weights, "2.bias": second.biases}, "network.safetensors"
    )
    decoder = {
        "decoder.0.weight": np.ones((6, 5), np.float32),
        "decoder.0.bias": random_batch(1, 6)[0],
    }
    save_file(autoencoder() | decoder, "autoencoder.safetensors")
    np.savez("keras.npz", first.weights.T, first.biases, second.weights.T, second.biases)
    np.save("images.npy", random_batch(3, 6).reshape(3, 2, 3))
    for name, made in ONNX.items():
        shutil.copy(Path(__file__).parent / "data" / f"{made}.onnx", f"{name}.onnx")
    variables: dict[str, object] = dict(names)
    ran = []
    for block in pages.blocks("docs/importing.md"):
        if block.language == "python":
            exec(block.text, variables)
        else:
            for line in block.text.splitlines():
                assert line.startswith(COMMAND)
                arguments = shlex.split(line.removeprefix(COMMAND))
                result = CliRunner().invoke(cli.main, arguments)
                assert result.exit_code == 0, result.output
                ran.append(arguments[0])
    assert {"import", "export", "inspect"} == set(ran)
    batch = random_batch(20, 6)
    wanted = mine.forward(batch)[-1]
    for model in ("mine", "bare"):
        np.testing.assert_allclose(evaluate(model, batch), wanted, atol=1e-6, rtol=0)
    keras = network.load(Path("checkpoints/keras.npz")).network
    np.testing.assert_array_equal(keras.forward(batch)[-1], wanted)
    assert evaluate("exported", random_batch(2, 4)).shape == (2, 3)
    flowers = variables["flowers"]
    assert isinstance(flowers, network.Network)
    assert flowers.labels == ("setosa", "versicolor", "virginica")
    images, _ = images_and_digits()
    np.testing.assert_allclose(
        evaluate("digits8x8", images),
        variables["classifier"].predict_proba(images),  # type: ignore[attr-defined]
        atol=1e-5,
        rtol=0,
    )
    scaled = network.load(Path("checkpoints/network.npz"))
    assert scaled.examples is not None
    np.testing.assert_allclose(
        scaled.network.forward(batch)[-1],
        mine.forward(((batch - 0.1307) / 0.3081).astype(np.float32))[-1],
        atol=1e-6,
        rtol=0,
    )


def test_every_origin_has_a_section_that_links_reach() -> None:
    headings = [heading.lower() for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)]
    anchors = {re.sub(r"[^a-z0-9-]", "", heading.replace(" ", "-")) for heading in headings}
    assert {"numpy-arrays", "pytorch", "scikit-learn", "keras", "onnx"} <= anchors
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert links
    assert set(links) <= anchors


def test_every_option_on_the_page_exists() -> None:
    known = CliRunner().invoke(cli.main, ["import", "--help"]).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {
        "--group",
        "--weights",
        "--name",
    }
    assert "--input-scale" in options
    assert not {option for option in options if option not in known}
