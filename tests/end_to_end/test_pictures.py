"""A picture file goes through the command, the server and the network to the right digit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.pictures.kinds import draw
from harness.server_process import ROOT, ServerProcess

N_PICTURES = 20


def test_digits_on_paper(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    files = []
    for number, pixels in enumerate(digits[0][:N_PICTURES]):
        levels = np.round(255 * (1 - pixels.reshape(28, 28))).astype(np.uint8)
        paper = Image.new("RGB", (400, 300), "white")
        paper.paste(Image.fromarray(levels).resize((140, 140), Image.Resampling.BICUBIC), (90, 80))
        files.append(tmp_path / f"{number}.png")
        paper.save(files[-1])
    command = [sys.executable, "-m", "mlpserve", "predict", "--json", "--address"]
    ended = subprocess.run(
        [*command, server.grpc_address, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["image"] for answer in answers] == [str(file) for file in files]
    right = sum(answer["label"] == label for answer, label in zip(answers, digits[1], strict=False))
    # The ninth is a 5 that looks like a 6, and scaling changes every digit a little.
    assert right >= N_PICTURES - 2


def predict(server: ServerProcess, *arguments: Path | str) -> str:
    command = [sys.executable, "-m", "mlpserve", "predict", "--address", server.grpc_address]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout


KINDS = (
    "dim paper",
    "pen of 1 in 400",
    "hard shadow",
    "paper on a dark desk",
    "darkly squared paper",
    "neighbour at the edge",
    "rounded card",
    "28x28, grey paper",
    "floats to 1",
)


def test_hard_pictures(server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path) -> None:
    files: list[Path] = []
    wanted: list[int] = []
    for kind in KINDS:
        for number in (0, 1, 2):
            files.append(tmp_path / f"{len(files)}")
            files[-1].write_bytes(draw(kind, digits[0][number].reshape(28, 28), number))
            wanted.append(int(digits[1][number]))
    answers = map(json.loads, predict(server, "--json", *files).splitlines())
    assert [answer["label"] for answer in answers] == wanted


def test_the_server_tells_what_it_changed(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    corner = np.zeros((28, 28), np.uint8)
    corner[:14, :14] = np.round(255 * digits[0][0].reshape(28, 28)[::2, ::2])
    file = tmp_path / "corner.png"
    Image.fromarray(corner).save(file)
    (plain,) = predict(server, "--no-canonicalize", "--json", file).splitlines()
    (described,) = predict(server, "--canonicalize", "--json", file).splitlines()
    answer = json.loads(described)
    assert answer["label"] == json.loads(plain)["label"] == digits[1][0]
    assert "canonicalization" not in json.loads(plain)
    # The client has laid it out already.
    assert answer["canonicalization"]["scales"] == pytest.approx([1, 1], abs=0.15)
    assert answer["canonicalization"]["shifts"] == pytest.approx([0, 0], abs=1)
    height = answer["canonicalization"]["scales"][0]
    assert f"normalised: height x {height:.2f}" in predict(server, "--canonicalize", file)
