"""What takes a while shows in a terminal how far it is, and nowhere else."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest

from harness.server_process import ROOT
from harness.waiting import wait_for
from mlpserve.command.predict.parts import MAX_IMAGES
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.pseudo_terminal import open_terminal, plain
from tests.mlpserve.serving import classify, read_batch, start_serving

N_IMAGES = 3 * MAX_IMAGES


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images for three calls."""
    images = np.zeros((N_IMAGES, 784), np.uint8)
    images[2 * MAX_IMAGES :, 0] = 255
    return save_npy(tmp_path / "images.npy", images)


class Gate:
    """Answers calls, but those with bright images only when it is open."""

    def __init__(self) -> None:
        self.is_open = threading.Event()

    def answer(self, request: classifier_pb2.PredictRequest, _: grpc.ServicerContext) -> object:
        if read_batch(request)[0, 0] == 1:
            self.is_open.wait()
        return classify(request)


# As if each run took long.
AT_ONCE = """
import mlpserve.parts.progress
mlpserve.parts.progress.PATIENCE_SECONDS = 0
from mlpserve.cli import main
main()
"""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-W", "error", "-c", AT_ONCE, "predict", *map(str, arguments)]


ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {
    "TERM": "xterm-256color",
    "COLUMNS": "100",
}


def test_a_bar_in_a_terminal(images: Path, tmp_path: Path) -> None:
    gate = Gate()
    with start_serving(gate.answer) as serving, open_terminal() as terminal:
        arguments = (images, "--output", tmp_path / "r.npy", "--address", serving.address)
        with subprocess.Popen(
            command(*arguments, "--timeout-seconds", "1000"),
            cwd=ROOT,
            stderr=terminal.theirs,
            env=ENVIRONMENT,
        ) as process:
            wait_for(lambda: f"{2 * MAX_IMAGES}/{N_IMAGES}" in plain(terminal.shown))
            gate.is_open.set()
            assert process.wait(timeout=60) == 0
    assert len(np.load(tmp_path / "r.npy")) == N_IMAGES


def test_errors_appear_above_the_bar(images: Path, tmp_path: Path) -> None:
    gate = Gate()
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with start_serving(gate.answer) as serving, open_terminal() as terminal:
        arguments = (images, bad, "--output", tmp_path / "r.csv", "--address", serving.address)
        with subprocess.Popen(
            command(*arguments, "--timeout-seconds", "1000"),
            cwd=ROOT,
            stderr=terminal.theirs,
            env=ENVIRONMENT,
        ) as process:
            wait_for(lambda: f"{2 * MAX_IMAGES}/{N_IMAGES + 1}" in plain(terminal.shown))
            gate.is_open.set()
            assert process.wait(timeout=60) == 1
    shown = "".join(plain(terminal.shown).split())
    assert f"Error:{bad}:notapicturethatPillowcanread" in shown


def test_no_bar_elsewhere(images: Path) -> None:
    with start_serving() as serving:
        ended = subprocess.run(
            command(images, "--format", "csv", "--address", serving.address),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == N_IMAGES + 1


def test_no_bar_among_answers(images: Path) -> None:
    with start_serving() as serving, open_terminal() as terminal:
        ended = subprocess.run(
            command(images, "--format", "csv", "--address", serving.address),
            cwd=ROOT,
            stdout=terminal.theirs,
            stderr=terminal.theirs,
            env=ENVIRONMENT,
            timeout=60,
        )
    assert ended.returncode == 0
    lines = terminal.shown.splitlines()
    assert lines[0].startswith("image,index")
    assert len(lines) == N_IMAGES + 1
