"""What the command prints and writes, how it ends, and what it refuses."""

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import grpc
import numpy as np
import pytest

from harness.server_process import ROOT
from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve.bench.encoding import from_json
from mlpserve.bench.find_rate import find_rate
from mlpserve.command.bench.measuring import describe_workers
from mlpserve.command.commands import mlpserve
from mlpserve.extras import install_command
from mlpserve.metrics.exposition import Samples, parse
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import N_PIXELS, Serving, classify, start_serving

QUICK = ("--seconds", "0.2", "--warmup-seconds", "0", "--metrics", "none")
PATIENT = ("--timeout-seconds", str(PATIENCE_SECONDS))
ENDLESS = ("--seconds", "3600", "--warmup-seconds", "0", "--metrics", "none", *PATIENT)


def bench(*arguments: object) -> click.testing.Result:
    runner = click.testing.CliRunner(env={"COLUMNS": "100"})
    return runner.invoke(mlpserve, ["bench", *map(str, arguments)])


def test_a_run(serving: Serving, tmp_path: Path) -> None:
    files = tmp_path / "result.json", tmp_path / "result.hgrm"
    result = bench(
        serving.address, *QUICK, *PATIENT, "--check", "--json", files[0], "--hgrm", files[1]
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert f"predict at {serving.address}: 1 image a call, as bytes" in result.stdout
    assert "20 sent, 20 answered OK" in result.stdout
    assert "20 of 20 as expected" in result.stdout
    written = from_json(files[0].read_text())
    assert written.sent == written.answered == 20
    assert written.plan.images == "MNIST's test set"
    plain = json.loads(files[0].read_text())
    assert plain["intended"]["count"] == 20
    assert plain["intended"]["quantiles_seconds"]["0.5"] > 0
    assert "#[Max     =" in files[1].read_text()


def test_a_closed_loop_with_an_array(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    np.save(file, np.full((3, N_PIXELS), 0.2, np.float32))
    options = ("--concurrency", 2, "--images", file, "--form", "floats", "--batch", "4")
    result = bench(serving.address, *QUICK, *PATIENT, *options)
    assert result.exit_code == 0, result.output
    assert "closed loop: 2 callers that wait" in result.stdout
    sent = np.array(serving.requests[-1].pixels)
    np.testing.assert_array_equal(sent, np.full(4 * N_PIXELS, np.float32(0.2)))


def test_calls_that_fail_make_the_exit_code_1() -> None:
    calls: list[None] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        calls.append(None)
        if len(calls) == 10:
            context.abort(grpc.StatusCode.INTERNAL, "the tenth")
        return classify(request)

    with start_serving(answer) as serving:
        result = bench(serving.address, *QUICK, *PATIENT)
    assert result.exit_code == 1
    assert "INTERNAL: the tenth" in result.stdout
    assert "20 sent, 19 answered OK" in result.stdout


def test_wrong_labels_make_the_exit_code_1() -> None:
    calls: list[None] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        calls.append(None)
        response = classify(request)
        if len(calls) > 200:
            response.labels[0] = (response.labels[0] + 1) % 10
        return response

    with start_serving(answer) as serving:
        # It asks 100 times for the labels of MNIST's test set, and measures the last calls.
        result = bench(serving.address, "--rate", "1000", *QUICK, *PATIENT, "--check")
    assert result.exit_code == 1
    assert "got another label than expected" in result.stdout


def test_a_search(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    few = functools.partial(find_rate, max_probes=2)
    monkeypatch.setattr("mlpserve.command.bench.searching.find_rate", few)
    result = bench(serving.address, "--find-rate", "--p99", "10ms", *QUICK, *PATIENT)
    said = " ".join(result.stdout.split())
    assert said.count("calls/s: p99") == 2
    assert "The search ended early, after 2 runs." in said
    # On a busy machine no rate may hold.
    holds = "calls/s hold: all calls OK" in said
    assert holds == (result.exit_code == 0) == ("the tool's own lag" in said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "5", "--concurrency", "1"), "--rate and --concurrency contradict each other"),
        (("--find-rate", "--concurrency", "1"), "--find-rate searches a rate"),
        (("--p99", "5ms"), "--p99 is for --find-rate"),
        (("--find-rate", "--p99", "5"), "has no unit"),
        (("--find-rate", "--p99", "1s"), "--seconds 10 is too short for a p99 of 1 s: a server"),
        (("--rate", "0"), "0.0 is not in the range"),
        (("--rate", "nan"), "nan is not in the range"),
        (("--rate", "inf"), "inf is not in the range"),
        (("--concurrency", "0"), "0 is not in the range"),
        (("--seconds", "0"), "give seconds above 0"),
        (("--seconds", "nan"), "give seconds above 0"),
        (("--warmup-seconds", "nan"), "nan is not in the range"),
        (("--warmup-seconds", "-1"), "-1.0 is not in the range"),
        (("--batch", "0"), "0 images"),
        (("--processes", "0"), "0 is not in the range"),
        (("--connections", "0"), "0 is not in the range"),
        (("--max-in-flight", "0"), "0 is not in the range"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--protocol", "http"), "'http' is not one of 'predict', 'infer'"),
        (("--form", "text"), "'text' is not one of 'floats', 'bytes'"),
        (("--arrivals", "often"), "'often' is not one of 'constant', 'poisson'"),
        (("--label", "x", "--version", "1"), "--label is for --protocol predict"),
        (("--label", "x", "--protocol", "infer"), "--label is for --protocol predict"),
        (("--json", "nowhere/result.json"), "nowhere is not a folder"),
        (("--hgrm", "nowhere/result.hgrm"), "nowhere is not a folder"),
        (("--images", "nowhere.npy"), "'nowhere.npy' does not exist"),
        (("--certificate", __file__), "--certificate and --key go together"),
    ],
)
def test_options_that_are_refused(
    options: tuple[str, ...], words: str, silent_address: str
) -> None:
    result = bench(silent_address, *options)
    assert result.exit_code == 2
    # Words may be broken at the end of a line.
    assert words in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("localhost", "has no port"),
        ("http://localhost:50051", "is a URL"),
        ("127.0.0.1:1", "is a server running there"),
    ],
)
def test_addresses_where_no_server_is(address: str, words: str) -> None:
    result = bench(address)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert words in result.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x08\x01\x00\x00\x00\x02ab", b"\x93NUMPY"])
def test_files_that_hold_no_images(serving: Serving, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "images"
    file.write_bytes(content)
    result = bench(serving.address, *QUICK, "--images", file)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: ")


def test_images_of_another_size(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "images.npy"
    np.save(file, np.zeros((2, 5, 5)))
    result = bench(serving.address, *QUICK, "--images", file)
    assert result.exit_code == 1
    assert "each has 25 numbers and the model takes 784" in result.stderr


def test_the_other_protocol_is_not_there(serving: Serving) -> None:
    result = bench(serving.address, *QUICK, "--protocol", "infer")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize(("loaded", "words"), [(0, ""), (1, "1 of the server's 2"), (2, "")])
def test_workers_without_calls_are_named(loaded: int, words: str) -> None:
    def page(calls: int) -> Samples:
        lines = ["mlpserve_workers 2"]
        for worker in range(2):
            label = f'{{worker="{worker}"}}'
            lines.append(f"process_start_time_seconds{label} 1")
            lines.append(f"grpc_server_handled_total{label} {calls if worker < loaded else 5}")
        return parse("\n".join(lines))

    note = describe_workers(page(5), page(9), 1)
    assert note.startswith(words)
    assert bool(note) == bool(words)


def test_metrics_that_are_not_there(serving: Serving) -> None:
    result = bench(serving.address, *QUICK[:-1], "127.0.0.1:1", *PATIENT)
    assert result.exit_code == 0, result.output
    assert "the server's stages are not shown" in result.stdout


@pytest.fixture
def loading(serving: Serving) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process group of its own, once it sends calls."""
    command = [sys.executable, "-W", "error", "-m", "mlpserve", "bench", serving.address]
    with subprocess.Popen(
        [*command, *ENDLESS, "--processes", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_for(lambda: len(serving.requests) > 50)
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_it_early_and_it_reports(loading: "subprocess.Popen[str]") -> None:
    # A terminal interrupts the whole group: the command and what it has started.
    os.killpg(loading.pid, signal.SIGINT)
    output, errors = loading.communicate(timeout=PATIENCE_SECONDS)
    assert errors == ""
    assert loading.returncode == 130
    assert "The run was interrupted after" in output
    assert "from intended" in output


def test_processes_end_with_the_command(loading: "subprocess.Popen[str]") -> None:
    tasks = Path(f"/proc/{loading.pid}/task/{loading.pid}/children")
    children = [Path(f"/proc/{pid}") for pid in tasks.read_text().split()]
    # Two that send, and the one that multiprocessing has for itself.
    assert len(children) >= 2
    loading.kill()
    wait_for(lambda: not any(map(is_running, children)))


def is_running(process: Path) -> bool:
    try:
        return "State:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def test_without_its_library() -> None:
    code = (
        "import sys; sys.modules['hdrh'] = None; sys.argv = ['mlpserve', 'bench', '--rate', '5', "
        "'localhost:1']; from mlpserve.cli import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1
    run = install_command("bench")
    assert result.stderr == f"mlpserve: hdrhistogram is missing; run: {run}\n"


def test_others_do_without_its_library() -> None:
    code = (
        "import sys; sys.modules['hdrh'] = None; sys.argv = ['mlpserve', 'predict', '--help']; "
        "from mlpserve.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0
    assert "Usage: mlpserve predict" in result.stdout
