"""Training learns, repeats itself bit for bit, and goes on where it was interrupted."""

import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.network.network import Batch, Network
from exporter.training import training
from exporter.training.checkpoints import CheckpointError, Epoch
from exporter.training.options import TrainingError, TrainingOptions
from harness.server_process import ROOT
from tests.exporter.training.training_process import OPTIONS, stripes

SHORT = replace(OPTIONS, epochs=6)


def assert_same(found: Network, wanted: Network) -> None:
    for one, other in zip(found.layers, wanted.layers, strict=True):
        assert one.activation == other.activation
        assert one.weights.tobytes() == other.weights.tobytes()
        assert one.biases.tobytes() == other.biases.tobytes()


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("loss", ["cross-entropy", "squared-error"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "selu"])
def test_every_recipe_learns(activation: Any, loss: Any, optimizer: Any) -> None:
    options = replace(
        OPTIONS, activation=activation, loss=loss, optimizer=optimizer, epochs=60, seed=0
    )
    trained = training.train(*stripes(), options)
    assert trained.network.sizes == (64, 6, 5, 3)
    hidden = "sigmoid" if activation == "tanh" else activation
    assert [layer.activation for layer in trained.network.layers] == [hidden, hidden, "sigmoid"]
    assert trained.validation_accuracy >= 0.95
    assert trained.history[-1].loss < trained.history[0].loss


def test_plain_gradient_descent_learns() -> None:
    plain = replace(OPTIONS, optimizer="sgd", rate=2, first_rate_factor=1, augment=False)
    textbook = replace(plain, activation="sigmoid", loss="squared-error", epochs=60)
    trained = training.train(*stripes(), textbook)
    assert trained.validation_accuracy >= 0.95
    assert trained.history[-1].loss < trained.history[0].loss


@pytest.mark.parametrize("hidden_sizes", [(), (9,), (4, 5, 6)])
def test_any_sizes(hidden_sizes: tuple[int, ...]) -> None:
    trained = training.train(*stripes(), replace(SHORT, hidden_sizes=hidden_sizes))
    assert trained.network.sizes == (64, *hidden_sizes, 3)
    assert trained.network.labels == ("0", "1", "2")


def test_real_digits_can_be_learned_by_heart(digits: tuple[Batch, Batch]) -> None:
    images, labels = digits[0][:600], digits[1][:600].astype(np.int64)
    options = TrainingOptions(epochs=40, batch_size=50, augment=False, n_validation=100)
    trained = training.train(images, labels, options)
    outputs = trained.network.forward(images[:500])[-1]
    assert np.mean(outputs.argmax(axis=1) == labels[:500]) > 0.98
    assert trained.validation_accuracy > 0.6


def test_the_report_tells_each_epoch() -> None:
    epochs: list[Epoch] = []
    trained = training.train(*stripes(), SHORT, report=epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert tuple(epochs) == trained.history
    assert all(first.rate > second.rate for first, second in pairwise(epochs))
    # Folding and calibration don't change which output is brightest.
    assert epochs[-1].validation_accuracy == trained.validation_accuracy


def test_the_same_options_give_the_same_bits_and_another_seed_others() -> None:
    first, again, other = (
        training.train(*stripes(), options).network
        for options in (SHORT, SHORT, replace(SHORT, seed=4))
    )
    assert_same(again, first)
    assert not np.array_equal(first.layers[0].weights, other.layers[0].weights)


def test_validation_images_are_not_trained_on() -> None:
    images, labels = stripes()
    spoilt = images.copy()
    spoilt[-OPTIONS.n_validation :] = 1 - spoilt[-OPTIONS.n_validation :]
    first = training.train(images, labels, SHORT)
    second = training.train(spoilt, labels, SHORT)
    # Only the output layer's calibration looks at them.
    for one, other in zip(first.network.layers[:-1], second.network.layers[:-1], strict=True):
        assert one.weights.tobytes() == other.weights.tobytes()
    assert [epoch.loss for epoch in first.history] == [epoch.loss for epoch in second.history]


def test_distortions_fade() -> None:
    strengths = [training.distortion_strength(share, OPTIONS) for share in (0, 0.7, 0.85, 1)]
    assert strengths == pytest.approx([1, 1, 0.65, 0.3])


def stop(checkpoint: Path, after_epoch: int, signal_number: int) -> int:
    """Run the training in a process of its own until it is in the middle of the epoch after this
    one, stop it, and return its exit code.
    """
    module = "tests.exporter.training.training_process"
    command = [sys.executable, "-m", module, str(checkpoint), str(after_epoch)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "paused\n"
        process.send_signal(signal_number)
    return process.returncode


def epochs_in(checkpoint: Path) -> int:
    with np.load(checkpoint) as archive:
        return len(archive["history"])


def test_an_interrupted_training_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / "training.npz"
    assert stop(checkpoint, 20, signal.SIGINT) != 0
    assert epochs_in(checkpoint) == 20
    assert stop(checkpoint, 90, signal.SIGKILL) == -signal.SIGKILL
    assert epochs_in(checkpoint) == 90
    epochs: list[Epoch] = []
    resumed = training.train(*stripes(), OPTIONS, checkpoint=checkpoint, report=epochs.append)
    whole = training.train(*stripes(), OPTIONS)
    assert_same(resumed.network, whole.network)
    assert resumed.history == whole.history == tuple(epochs)
    # A writer that is killed may leave its temporary file behind, never half a checkpoint.
    assert [path for path in tmp_path.iterdir() if path.suffix != ".tmp"] == [checkpoint]


def test_a_finished_checkpoint_gives_the_network_again(tmp_path: Path) -> None:
    checkpoint = tmp_path / "training.npz"
    first = training.train(*stripes(), SHORT, checkpoint=checkpoint)
    written = checkpoint.stat().st_mtime_ns
    again = training.train(*stripes(), SHORT, checkpoint=checkpoint)
    assert_same(again.network, first.network)
    assert checkpoint.stat().st_mtime_ns == written


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "training.npz"
    training.train(*stripes(), SHORT, checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match=r"seed was 3, wanted 4; delete it"):
        training.train(*stripes(), replace(SHORT, seed=4), checkpoint=checkpoint)
    images, labels = stripes()
    with pytest.raises(CheckpointError, match="data_sha256"):
        training.train(images[::-1], labels, SHORT, checkpoint=checkpoint)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    checkpoint = tmp_path / "training.npz"
    checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"training\.npz .*delete it to start afresh"):
        training.train(*stripes(), SHORT, checkpoint=checkpoint)


def test_an_encrypted_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "training.npz"
    training.train(*stripes(), SHORT, checkpoint=checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is encrypted.*delete it to start afresh"):
        training.train(*stripes(), SHORT, checkpoint=checkpoint)


def test_another_archive_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "training.npz"
    np.savez(checkpoint, W1=np.zeros(3))
    with pytest.raises(CheckpointError, match="identity"):
        training.train(*stripes(), SHORT, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_sizes", (16, 0)),
        ("activation", "softmax"),
        ("loss", "hinge"),
        ("mix", -0.1),
        ("optimizer", "adam"),
        ("epochs", 0),
        ("batch_size", 0),
        ("rate", 0.0),
        ("rate", float("nan")),
        ("decay", -1.0),
        ("adamw_rate", 0.0),
        ("first_rate_factor", -1.0),
        ("fade_from", 1.0),
        ("final_strength", 1.1),
        ("n_validation", 0),
        ("seed", -1),
    ],
)
def test_options_that_make_no_sense_are_refused(field: str, value: Any) -> None:
    changes: dict[str, Any] = {field: value}
    with pytest.raises(TrainingError, match=rf"^{field}: .*wanted"):
        TrainingOptions(**changes)


def test_images_that_do_not_fit_are_refused() -> None:
    images, labels = stripes()
    with pytest.raises(TrainingError, match=r"^labels: shape \(299,\)"):
        training.train(images, labels[1:], SHORT)
    with pytest.raises(TrainingError, match=r"^labels: .*smallest -1"):
        training.train(images, labels - 1, SHORT)
    with pytest.raises(TrainingError, match=r"^images: 70, wanted at least 60 for validation"):
        training.train(images[:70], labels[:70], SHORT)
    with pytest.raises(TrainingError, match="63 pixels"):
        training.train(images[:, 1:], labels, SHORT)


def test_a_rate_that_explodes_is_told() -> None:
    options = replace(SHORT, activation="relu", optimizer="adamw", rate=1e30)
    with pytest.raises(TrainingError, match=r"^rate: 1e\+30"):
        training.train(*stripes(), options)
