"""The commands as a user types them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result

from exporter import cli, network
from exporter.network.weights_file import Provenance
from harness.networks import random_batch, random_network
from harness.server_process import ROOT, environment
from modelfile import hints
from modelfile.input_range import InputRange
from tests.exporter.mirror import Mirror, serve

DATA = ROOT / "tests" / "data"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    provenance: Provenance = {"trained by": "[bold]chance[/bold]", "seed": 0}
    network.save(path, random_network(), examples=random_batch(8, 784), provenance=provenance)
    return path


def run(*arguments: str | Path, **variables: str | None) -> Result:
    return CliRunner().invoke(cli.main, [str(part) for part in arguments], env=variables)


def refused(*arguments: str | Path, **variables: str | None) -> str:
    """Return the only line of a command that ends with exit code 1."""
    result = run(*arguments, **variables)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def test_export_then_inspect(tmp_path: Path, weights: Path) -> None:
    repository = tmp_path / "models"
    for version in (1, 2):
        result = run("export", "--weights", weights, "--repository", repository)
        path = repository / "some" / str(version) / "model.onnx"
        assert result.exit_code == 0
        assert result.stdout == f"{path}\n"
        assert result.stderr.splitlines() == [
            "Layers: 784 > 16 sigmoid > 16 sigmoid > 10 sigmoid",
            "Inputs: 784 numbers in [0, 1]",
            f"Labels: {', '.join(f'class {index}' for index in range(10))}",
            f"Serve it with: {hints.command(f'server --repository {repository}')}",
        ]
    for shown in (path, path.parent, path.parent.parent, weights):
        result = run("inspect", shown)
        assert result.exit_code == 0, result.output
        lines = dict(line.split("  ", 1) for line in result.stdout.splitlines())
        card = {key.strip(): value.strip() for key, value in lines.items()}
        assert card["file"] == str(weights if shown == weights else path)
        assert card["parameters"] == "13,002"
        assert card["layers"] == "784 > 16 sigmoid > 16 sigmoid > 10 sigmoid"
        assert card["labels"].startswith("class 0, class 1")
        assert len(card["weights SHA-256"]) == 64
        assert card["weights check"] == "ok"
        assert card["golden check"].startswith("ok: largest difference ")
        assert card["trained by"] == "[bold]chance[/bold]"


def test_export_of_other_inputs_than_pixels(tmp_path: Path) -> None:
    weights, repository = tmp_path / "w.npz", tmp_path / "models"
    where = ("--weights", weights, "--repository", repository)
    export = ("export", *where, "--name", "columns", "--incompatible")
    pixels = random_network((4, 3))
    network.save(weights, pixels)
    for version, (options, shown) in enumerate(
        (
            ((), "4 numbers in [0, 1]"),
            (("--input-range", "-1,1"), "4 numbers in [-1, 1]"),
            (("--input-range", "finite"), "4 finite numbers"),
        ),
        start=1,
    ):
        assert run(*export, *options).exit_code == 0
        assert f"inputs{' ' * 11}{shown}\n" in run("inspect", repository / "columns").stdout
        assert (repository / "columns" / str(version) / "model.onnx").is_file()
    # The option decides, whatever the file says, about the file's examples too.
    examples = np.full((2, 4), 2, np.float32)
    network.save(weights, replace(pixels, input_range=InputRange(-2, 2)), examples=examples)
    assert run(*export).exit_code == 0
    assert run(*export, "--input-range", "0,9").exit_code == 0
    assert "wanted numbers in [-1, 1]" in refused(*export, "--input-range", "-1,1")
    for text in ("1,0", "0,nan", "0,inf", "0", "-1e39,0"):
        result = run(*export, "--input-range", text)
        assert result.exit_code == 2
        assert f"{text!r} is not an input range; wanted finite, or [low, high]" in result.stderr
    for command in ("evaluate", "look", "card"):
        line = refused(command, "--weights", weights)
        assert "w.npz: its network takes numbers in [-2, 2]; this command is for images" in line


def test_export_of_the_first_version_alone(tmp_path: Path, weights: Path) -> None:
    first = tmp_path / "some" / "1" / "model.onnx"
    for _ in range(2):
        result = run("export", "--weights", weights, "--repository", tmp_path, "--unless-published")
        assert (result.exit_code, result.stdout) == (0, f"{first}\n")
    assert [path.name for path in (tmp_path / "some").iterdir()] == ["1"]


def test_inspect_of_changed_weights(tmp_path: Path, weights: Path) -> None:
    run(
        "export", "--weights", weights, "--repository", tmp_path, "--name", "mine", "--version", "7"
    )
    path = tmp_path / "mine" / "7" / "model.onnx"
    model = onnx.load(path)
    (biases,) = (item for item in model.graph.initializer if item.name == "b3")
    changed = onnx.numpy_helper.to_array(biases) + np.float32(1)
    biases.CopyFrom(onnx.numpy_helper.from_array(changed, "b3"))
    path.write_bytes(model.SerializeToString())
    result = run("inspect", path)
    assert result.exit_code == 1
    assert "FAILED: the weights were changed" in result.stdout
    assert "FAILED: largest difference 0." in result.stdout
    assert result.stderr == f"Error: {path} fails its checks; export it again\n"


def test_export_that_is_refused(tmp_path: Path, weights: Path) -> None:
    target = ("--weights", weights, "--repository", tmp_path)
    assert "is not a model name" in refused("export", *target, "--name", "a/b")
    assert run("export", *target, "--version", "3").exit_code == 0
    assert "some/3 exists already" in refused("export", *target, "--version", "3")
    assert "none.npz can't be read" in refused("export", "--weights", tmp_path / "none.npz")
    in_the_way = f"{weights}/some: Not a directory"
    assert in_the_way in refused("export", "--weights", weights, "--repository", weights)


def test_data_from_the_environment_and_none_at_all(tmp_path: Path, weights: Path) -> None:
    command = ("evaluate", "--no-distortions", "--weights", weights)
    assert run(*command, MLPSERVE_MNIST=str(DATA)).exit_code == 0
    line = refused(*command, MLPSERVE_MNIST=str(tmp_path))
    assert f"{tmp_path} has no t10k-images-idx3-ubyte.gz; download MNIST with" in line
    assert hints.command("exporter fetch") in line


def test_inspect_of_what_is_no_model(tmp_path: Path) -> None:
    assert "holds no model" in refused("inspect", tmp_path)
    (tmp_path / "x.onnx").write_bytes(b"not ONNX at all")
    assert "is not an ONNX file" in refused("inspect", tmp_path / "x.onnx")
    (tmp_path / "x.onnx").write_bytes(b"")
    assert "was not exported by mlpserve" in refused("inspect", tmp_path / "x.onnx")


def test_fetch_from_a_mirror_that_lacks_a_file(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in DATA.glob("*.gz")}
    with serve(Mirror(files)) as mirror:
        address = mirror.address.rstrip("/")
        result = run("fetch", "--data", tmp_path, "--mirror", address)
    assert result.exit_code == 1
    assert "Error: train-images-idx3-ubyte.gz can't be fetched: " in result.stderr
    assert f"{address}: Client error '404 Not Found'" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    ["", "train", "export", "evaluate", "card", "fetch", "inspect", "list", "retire", "restore"],
)
def test_help(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {command}".rstrip())


def test_runs_as_a_module_from_any_folder(tmp_path: Path, weights: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "exporter", "inspect"]
    variables = environment(PYTHONPATH=str(ROOT))
    ended = subprocess.run(
        [*command, str(weights)],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert "parameters       13,002" in ended.stdout
    assert ended.stderr == ""
    ended = subprocess.run(
        [*command, "none"], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: none can't be read: No such file or directory\n"
