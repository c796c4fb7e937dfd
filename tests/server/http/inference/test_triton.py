"""A client that others wrote, tritonclient, gets over HTTP what gRPC answers, bit by bit."""

from pathlib import Path

import grpc
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import isolated
from harness.server_process import start_server
from tests.mlpserve.pictures.test_reading import draw_seven
from tests.server.rpc.infer_calls import infer, raw_request

N_IMAGES = 20
TOKEN = "0123456789abcdef-admin"
WIDTHS = {"labels": "<i8", "activations": "<f4", "hidden_1": "<f4", "hidden_2": "<f4"}
N_CLASSES = 3

FORMS = [
    f"{form}{way}" for form in ("binary", "json") for way in ("", "_to_other", "_gzip", "_deflate")
]
FORMS.append("mixed")

Answers = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def answers(
    repository: Path, digits: tuple[Batch, Labels], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Answers, Answers]:
    """What tritonclient has got, and what gRPC answers."""
    folder = tmp_path_factory.mktemp("triton")
    images, tokens, found = folder / "images.npy", folder / "tokens", folder / "answers.npz"
    np.save(images, digits[0][:N_IMAGES])
    seven = folder / "seven.png"
    draw_seven().save(seven)
    tokens.write_text(f"boss: {TOKEN}\n")
    tokens.chmod(0o600)
    script = Path(__file__).with_name("triton_calls.py")
    arguments = ["--watch", "off", "--admin-tokens-file", str(tokens)]
    with start_server(repository, *arguments) as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            answer = infer(channel, raw_request(digits[0][:N_IMAGES], *WIDTHS))
        isolated.run("tritonclient", [script, server.http_address, images, seven, TOKEN, found])
    wanted = {
        output.name: np.frombuffer(values, WIDTHS[output.name]).reshape(tuple(output.shape))
        for output, values in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }
    with np.load(found) as file:
        return dict(file), wanted


@pytest.mark.parametrize("prefix", ["", "later_", "asyncio_"])
@pytest.mark.parametrize("form", FORMS)
def test_tritonclient_gets_what_grpc_answers(
    answers: tuple[Answers, Answers], prefix: str, form: str
) -> None:
    found, wanted = answers
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[f"{prefix}{form}_{name}"], values)


@pytest.mark.parametrize(
    ("way", "names"),
    [("made", WIDTHS), ("raw", ("activations", "labels")), ("asyncio_each", ("labels",))],
)
def test_bodies_made_by_hand_and_many_calls_at_once_get_the_same(
    answers: tuple[Answers, Answers], way: str, names: tuple[str, ...]
) -> None:
    found, wanted = answers
    for name in names:
        np.testing.assert_array_equal(found[f"{way}_{name}"], wanted[name])


@pytest.mark.parametrize("form", ["binary", "json", "asyncio_binary", "asyncio_json"])
def test_classes_are_the_brightest_outputs(answers: tuple[Answers, Answers], form: str) -> None:
    found, wanted = answers
    classes, activations = found[f"{form}_classes"], wanted["activations"]
    assert classes.shape == (N_IMAGES, N_CLASSES)
    for texts, values in zip(classes, activations, strict=True):
        order = np.argsort(-values)[:N_CLASSES]
        assert [text.decode() for text in texts] == [f"{values[i]!s}:{i}:{i}" for i in order]


@pytest.mark.parametrize("form", ["binary", "json"])
def test_levels_have_the_labels_of_their_pixels(
    answers: tuple[Answers, Answers], form: str
) -> None:
    found, wanted = answers
    np.testing.assert_array_equal(found[f"{form}_levels"], wanted["labels"])


def test_pictures_are_read(answers: tuple[Answers, Answers]) -> None:
    found, _ = answers
    assert found["picture"].tolist() == [7, 7]
