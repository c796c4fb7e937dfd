"""Ctrl-C ends the command soon, and leaves whole rows."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest

from harness.server_process import ROOT
from mlpserve.command.predict.interrupts import Interrupts
from mlpserve.command.predict.parts import MAX_IMAGES
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.serving import classify, read_batch, start_serving

N_ANSWERED = 3


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_at_once() -> None:
    interrupts = Interrupts()
    with interrupts.catch(), pytest.raises(KeyboardInterrupt):
        interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_after_the_rows_that_are_being_written() -> None:
    interrupts, done = Interrupts(), []

    def write() -> None:
        with interrupts.put_off():
            interrupt()
            done.append("whole")

    with interrupts.catch():
        with pytest.raises(KeyboardInterrupt):
            write()
        assert done == ["whole"]
        # The next one is another one.
        with interrupts.put_off():
            pass


def test_the_second_one_does_not_wait() -> None:
    interrupts, done = Interrupts(), []

    def write() -> None:
        with interrupts.put_off():
            interrupt()
            done.append("first")
            interrupt()
            done.append("second")

    with interrupts.catch(), pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["first"]


def test_an_error_while_writing_is_not_hidden() -> None:
    interrupts = Interrupts()

    def write() -> None:
        with interrupts.put_off():
            interrupt()
            raise OSError("no space left")

    with interrupts.catch(), pytest.raises(OSError, match="no space left"):
        write()


def test_other_threads_and_handlers_are_left_alone() -> None:
    caught: list[object] = []

    def in_thread() -> None:
        with Interrupts().catch():
            caught.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert caught == [signal.default_int_handler]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts().catch():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


READERS: dict[str, Callable[[Path], list[int]]] = {
    "csv": lambda path: [int(row.split(",")[2]) for row in path.read_text().splitlines()[1:]],
    "jsonl": lambda path: [json.loads(row)["label"] for row in path.read_text().splitlines()],
    "npy": lambda path: [int(label) for label in np.load(path)["label"]],
    "txt": lambda path: [int(row.split(": ")[1][0]) for row in path.read_text().splitlines()],
}


@pytest.mark.parametrize("ending", READERS)
def test_a_run_that_is_interrupted(tmp_path: Path, ending: str) -> None:
    images = np.zeros((20 * MAX_IMAGES, 784), np.uint8)
    images[np.arange(len(images)), np.arange(len(images)) % 10] = 255
    # The calls say which they are.
    images[::MAX_IMAGES, 700] = np.arange(20)
    is_asked, is_over = threading.Event(), threading.Event()

    def answer(request: classifier_pb2.PredictRequest, _: grpc.ServicerContext) -> object:
        if round(255 * read_batch(request)[0, 700]) >= N_ANSWERED:
            is_asked.set()
            # Nobody answers, and yet the command ends.
            is_over.wait()
        return classify(request)

    output = tmp_path / f"results.{ending}"
    part = tmp_path / f"results.{ending}.part"
    with start_serving(answer) as serving:
        path = save_npy(tmp_path / "images.npy", images)
        command = [sys.executable, "-W", "error", "-m", "mlpserve", "predict", str(path)]
        options = [
            "--output",
            str(output),
            "--address",
            serving.address,
            "--timeout-seconds",
            "1000",
        ]
        with subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert is_asked.wait(60)
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
            finally:
                process.kill()
                is_over.set()
    assert process.returncode == 130
    n_rows = len(READERS[ending](part)) if part.exists() else 0
    assert n_rows in {MAX_IMAGES * n_parts for n_parts in range(N_ANSWERED + 1)}
    assert errors == "Interrupted\n" + (n_rows > 0) * f"{part} has the {n_rows:,} rows so far\n"
    if n_rows:
        assert READERS[ending](part) == [number % 10 for number in range(n_rows)]
    assert not output.exists()
