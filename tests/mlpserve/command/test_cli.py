"""The command: what people and programs read, and one clear line when something is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from mlpserve.command.commands import mlpserve
from mlpserve.extras import install_command
from mlpserve.pictures.errors import NO_PICTURE
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import Serving, classify, read_batch, start_serving

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """An image that the server of these tests takes for a 2, and next for a 6."""
    levels = np.zeros((28, 28), np.uint8)
    levels[0, 2], levels[0, 6], levels[0, 10] = 204, 51, 255
    path = tmp_path / "two.png"
    Image.fromarray(levels).save(path)
    return path


def run(*arguments: str | Path, **options: object) -> Result:
    """Run the command in this process."""
    result = CliRunner().invoke(mlpserve, ["predict", *map(str, arguments)], **options)  # type: ignore[arg-type]  # click's options
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_for_people(two: Path, serving: Serving) -> None:
    result = run(two, "--address", serving.address)
    answer, *drawing = result.stdout.splitlines()
    assert answer == f"{two}: 2  activation 0.800, then 6 with 0.200  (pixels, version 3)"
    assert len(drawing) == 14
    assert drawing[0] == "  ▒       ▒" + " " * 17
    assert set("".join(drawing[1:])) == {" "}
    assert (result.stderr, result.exit_code) == ("", 0)


def test_hidden_layers(two: Path, serving: Serving) -> None:
    result = run(two, "--hidden", "--address", serving.address)
    assert result.stdout.splitlines()[-1] == "hidden layer 1: 1.00 0.00 0.00"


def test_for_programs(two: Path, serving: Serving) -> None:
    result = run(two, two, "--json", "--hidden", "--address", serving.address)
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == second
    assert first == {
        "image": str(two),
        "label": 2,
        "name": "2",
        "activation": 0.8,
        "activations": {str(k): {2: 0.8, 6: 0.2}.get(k, 0) for k in range(10)},
        "hidden_layers": [[1, 0, 0]],
        "model": "pixels",
        "version": 3,
    }


def test_what_is_sent(two: Path, serving: Serving) -> None:
    run(two, "--model", "other", "--version", "8", "--invert", "yes", "--address", serving.address)
    (request,) = serving.requests
    assert (request.model, request.version, request.hidden_activations) == ("other", 8, False)
    assert read_batch(request)[0, :4] == pytest.approx([1, 1, 0.2, 1])


def test_standard_input(two: Path, serving: Serving) -> None:
    result = run("-", "--json", "--address", serving.address, input=two.read_bytes())
    answer = json.loads(result.stdout)
    assert (answer["image"], answer["label"]) == ("-", 2)


def test_many_pictures_go_in_several_calls(two: Path, serving: Serving) -> None:
    result = run(*[two] * 150, "--json", "--address", serving.address)
    assert len(result.stdout.splitlines()) == 150
    # Several calls are in progress at once, and arrive in any order.
    assert sorted(len(read_batch(request)) for request in serving.requests) == [22, 64, 64]


def test_files_that_are_no_pictures(two: Path, tmp_path: Path, serving: Serving) -> None:
    text, missing = tmp_path / "notes.txt", tmp_path / "gone\x1b[31m.png"
    text.write_text("no picture")
    result = run(text, two, missing, "--address", serving.address)
    assert result.stderr.splitlines() == [
        f"Error: {tmp_path}/gone\N{REPLACEMENT CHARACTER}[31m.png: no such file or directory",
        f"Error: {text}: {NO_PICTURE}",
    ]
    assert result.stdout.startswith(f"{two}: 2")
    assert result.exit_code == 1


def test_no_picture_at_all_asks_no_server(tmp_path: Path, silent_address: str) -> None:
    result = run(tmp_path / "gone.png", "--address", silent_address)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == f"Error: {tmp_path}/gone.png: no such file or directory\n"


def test_no_server(two: Path, silent_address: str) -> None:
    result = run(two, "--address", silent_address)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {silent_address} is unavailable")
    assert "`make run`" in line


@pytest.mark.parametrize("address", ["", "two words:1"])
def test_no_address(two: Path, address: str) -> None:
    result = run(two, "--address", address)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_refusal(two: Path) -> None:
    def refuse(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.NOT_FOUND, "there is no model 'other'; there is digits")

    with start_serving(refuse) as serving:
        result = run(two, "--model", "other", "--address", serving.address)
    assert result.exit_code == 1
    assert result.stderr == "Error: there is no model 'other'; there is digits\n"


def test_model_with_one_class(two: Path) -> None:
    def answer(request: classifier_pb2.PredictRequest, _: grpc.ServicerContext) -> object:
        response = classify(request)
        del response.label_names[1:], response.activations[1:]
        response.labels[:] = [0]
        return response

    with start_serving(answer) as serving:
        result = run(two, "--address", serving.address)
    assert result.stdout.startswith(f"{two}: 0  activation 0.000  (pixels, version 3)\n")


@pytest.mark.parametrize(
    "arguments", [[], ["7.png", "--invert", "maybe"], ["7.png", "--side", "0"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: mlpserve predict [OPTIONS] IMAGE..." in result.stderr


def run_process(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python in a process of its own, from the repository."""
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, command)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        timeout=60,
    )


def test_as_a_module_in_a_plain_terminal(two: Path, serving: Serving) -> None:
    umlaut = two.rename(two.with_name("zwölf.png"))
    command = ("-m", "mlpserve", "predict", umlaut, "--address", serving.address)
    result = run_process(*command, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    answer, first, *_ = result.stdout.decode("ascii").splitlines()
    assert answer.startswith(str(two.with_name(r"zw\xf6lf.png: 2  activation 0.800")))
    assert first == "  =   .   =" + " " * 17
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("missing", ["click", "rich", "PIL", "scipy"])
def test_missing_extra(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from mlpserve.cli import main; main()"
    result = run_process("-c", code)
    assert result.returncode == 1
    assert result.stdout == b""
    (line,) = result.stderr.decode().splitlines()
    assert line.endswith(f"is missing; run: {install_command('cli')}")


def test_the_client_itself_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['click', 'rich', 'PIL', 'google.rpc', "
        "'grpc_health', 'server', 'exporter', 'onnx'])); import mlpserve; "
        "mlpserve.Client('127.0.0.1:1').close(); print(mlpserve.__version__)"
    )
    result = run_process("-c", code)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.strip()


def test_a_file_without_a_command(two: Path) -> None:
    result = CliRunner().invoke(mlpserve, [str(two)])
    assert result.exit_code == 2
    assert f"No such command '{two}'. To classify it, run mlpserve predict {two}" in result.stderr
    result = CliRunner().invoke(mlpserve, ["predct"])
    assert "Did you mean 'predict'?" in result.stderr
    assert "To classify" not in result.stderr


@pytest.mark.parametrize("around", ["\u00a0", "\u2003", "\u0085", "\ufeff", "\0"])
def test_what_only_looks_like_space_is_no_part_of_a_token(
    two: Path, tmp_path: Path, serving: Serving, around: str
) -> None:
    file = tmp_path / "token"
    file.write_text(f"0123456789abcdef{around}\n", "utf-8")
    result = run(two, "--address", serving.address, "--token-file", file)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: --token-file {file}: token is not a bearer token")
    file.write_text("\t0123456789abcdef \r\n", "utf-8")
    assert run(two, "--address", serving.address, "--token-file", file).exit_code == 0
