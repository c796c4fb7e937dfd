"""`python -m exporter train`, on the test images in the place of the training images."""

import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner

from exporter import cli, network
from exporter.training import checkpoints, mnist, training
from exporter.training.checkpoints import State
from harness.server_process import ROOT
from modelfile import hints

SMALL = ("--hidden-sizes", "12", "--no-augment", "--validation", "2000", "--batch-size", "64")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in (ROOT / "tests" / "data").glob("t10k-*.gz"):
        shutil.copy(path, folder / path.name.replace("t10k", "train"))
    return folder


def command(data: Path, output: Path, *arguments: str) -> list[str]:
    return ["train", "--data", str(data), "--output", str(output), *SMALL, *arguments]


def test_train_writes_a_network_with_its_provenance(tmp_path: Path, data: Path) -> None:
    output = tmp_path / "new" / "small.npz"
    result = CliRunner().invoke(cli.main, command(data, output, "--epochs", "3", "--seed", "5"))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}\n"
    assert f"evaluate --weights {output} --record" in result.stderr
    assert "3/3" in result.stderr
    assert "validation 8" in result.stderr or "validation 9" in result.stderr
    assert [path.name for path in output.parent.iterdir()] == ["small.npz"]
    saved = network.load(output)
    assert saved.network.sizes == (784, 12, 10)
    assert (saved.provenance["seed"], saved.provenance["epochs"]) == (5, 3)
    assert (saved.provenance["dataset"], saved.provenance["validation_images"]) == ("MNIST", 2000)
    images, labels = mnist.load(data, "train")
    assert saved.examples is not None
    assert len(saved.examples) == 8
    held_back = {image.tobytes() for image in images[8000:]}
    assert {image.tobytes() for image in saved.examples} <= held_back
    right = saved.network.forward(images[8000:])[-1].argmax(axis=1) == labels[8000:]
    assert right.mean() > 0.85
    assert saved.provenance["validation_accuracy"] == pytest.approx(right.mean(), abs=1e-6)


def test_interrupted_training_goes_on_to_the_same_bytes(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = ("--epochs", "4")
    whole, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    checkpoint = tmp_path / "broken.npz.checkpoint"

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    saved = checkpoints.save

    def save(path: Path, state: State, identity: dict[str, Any]) -> None:
        saved(path, state, identity)
        monkeypatch.setattr(training, "step", interrupt)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save)
        result = CliRunner().invoke(cli.main, command(data, broken, *epochs))
    monkeypatch.undo()
    assert result.exit_code == 130
    assert "The same command resumes after the last finished epoch" in result.stderr
    assert not broken.exists()
    assert checkpoint.exists()
    for output in (broken, whole):
        result = CliRunner().invoke(cli.main, command(data, output, *epochs))
        assert result.exit_code == 0, result.output
    assert broken.read_bytes() == whole.read_bytes()
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--hidden-sizes", "16,many"), 2, "'16,many', wanted numbers such as 16,16"),
        (("--hidden-sizes", "16,0"), 1, "hidden_sizes: (16, 0), wanted positive numbers"),
        (("--epochs", "0"), 1, "epochs: 0, wanted at least 1"),
        (("--activation", "softmax"), 2, "'softmax' is not one of"),
        (("--validation", "10000"), 1, "images: 10000, wanted at least 10000 for validation and"),
    ],
)
def test_options_that_make_no_sense(
    tmp_path: Path, data: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = CliRunner().invoke(cli.main, command(data, tmp_path / "out.npz", *arguments))
    assert result.exit_code == code
    assert message in result.stderr
    assert not (tmp_path / "out.npz").exists()


def test_checkpoint_of_another_training(tmp_path: Path, data: Path) -> None:
    output = tmp_path / "out.npz"
    (tmp_path / "out.npz.checkpoint").write_bytes(b"something else")
    result = CliRunner().invoke(cli.main, command(data, output, "--epochs", "1"))
    assert result.exit_code == 1
    assert "out.npz.checkpoint is not a checkpoint" in result.stderr
    assert not output.exists()


def test_missing_training_images_say_how_to_fetch_them(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, command(tmp_path, tmp_path / "out.npz"))
    assert result.exit_code == 1
    fetch = hints.command(f"exporter fetch --data {tmp_path}")
    assert f"download MNIST with `{fetch}`" in result.stderr
