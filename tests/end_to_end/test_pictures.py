"""A picture file goes through the command, the server and the network to the right digit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.network.network import Batch
from exporter.training.mnist import Labels
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


def test_digit_in_a_corner_is_put_right(
    server: ServerProcess, digits: tuple[Batch, Labels], tmp_path: Path
) -> None:
    # A picture of the model's size keeps its pixels, unless the server is asked to put it right.
    corner = np.zeros((28, 28), np.uint8)
    corner[:14, :14] = np.round(255 * digits[0][0].reshape(28, 28)[::2, ::2])
    file = tmp_path / "corner.png"
    Image.fromarray(corner).save(file)
    command = [sys.executable, "-m", "mlpserve", "predict", str(file)]
    command += ["--address", server.grpc_address]
    asked = [[*command, "--canonicalize", "--json"], [*command, "--canonicalize"]]
    described, shown = (
        subprocess.run(one, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
        for one in asked
    )
    answer = json.loads(described)
    assert answer["label"] == digits[1][0]
    done = answer["canonicalization"]
    assert not done["inverted"]
    assert min(done["scales"]) > 1.5
    assert min(done["shifts"]) > 4
    height = done["scales"][0]
    assert f"normalised: height x {height:.2f}" in shown
