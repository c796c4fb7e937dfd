"""A client that others wrote, tritonclient, gets what NumPy says."""

from pathlib import Path

import numpy as np

from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import ROOT, start_server

N_IMAGES = 50
TOKEN = "0123456789abcdef-admin"


def test_tritonclient_gets_what_numpy_says(
    repository: Path, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    images, tokens = tmp_path / "images.npy", tmp_path / "tokens"
    np.save(images, digits[0][:N_IMAGES])
    tokens.write_text(f"boss: {TOKEN}\n")
    tokens.chmod(0o600)
    answers = tmp_path / "answers.npz"
    script = Path(__file__).with_name("triton_calls.py")
    arguments = ["--watch", "off", "--admin-tokens-file", str(tokens)]
    with start_server(repository, *arguments) as server:
        isolated.run("tritonclient", [script, server.grpc_address, images, TOKEN, answers])
    reference = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    *hidden, activations = reference.forward(digits[0][:N_IMAGES])
    labels = activations.argmax(axis=1)
    wanted = {"activations": activations, "hidden_1": hidden[0], "hidden_2": hidden[1]}
    # In streams the one in the middle is an error.
    others = np.delete(np.arange(N_IMAGES), N_IMAGES // 2)
    everything = np.arange(N_IMAGES)
    ways = {"": everything, "called_": everything, "streamed_": others}
    ways |= {"async_": everything, "async_streamed_": others}
    with np.load(answers) as found:
        np.testing.assert_array_equal(found["of_levels"], labels)
        for way, rows in ways.items():
            np.testing.assert_array_equal(found[f"{way}labels"], labels[rows])
            for name, expected in wanted.items():
                values = found[way + name]
                np.testing.assert_allclose(values, expected[rows], rtol=0, atol=1e-5)
        for way in ("", "async_"):
            check_classes(found[f"{way}classes"], activations)


def check_classes(classes: np.ndarray, activations: Batch) -> None:
    """The brightest outputs of each image, as value:index:label."""
    assert len(classes) == len(activations)
    for texts, values in zip(classes, activations, strict=True):
        parts = [text.decode().split(":") for text in texts]
        order = np.argsort(-values)[: len(texts)]
        assert [int(index) for _, index, _ in parts] == order.tolist()
        assert [label for *_, label in parts] == [str(index) for index in order]
        brightness = [float(value) for value, *_ in parts]
        np.testing.assert_allclose(brightness, values[order], rtol=0, atol=1e-5)
