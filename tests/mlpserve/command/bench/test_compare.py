"""`mlpserve bench compare` reads two results and says which differences are beyond chance."""

import dataclasses
from pathlib import Path

import click.testing
import pytest

from mlpserve.bench.encoding import to_json
from mlpserve.command.commands import mlpserve
from tests.mlpserve.bench.results import PLAN, lognormal, make_result


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results."""
    folder = tmp_path_factory.mktemp("results")
    faster = dataclasses.replace(PLAN, rate=2000.0)
    results = {
        "before": make_result(lognormal(12, 300, seed=1)),
        "same": make_result(lognormal(12, 300, seed=2)),
        "after": make_result(1.3 * lognormal(12, 300, seed=3)),
        "faster": make_result(lognormal(12, 300, seed=4), plan=faster),
        "short": make_result(lognormal(9, 300)),
    }
    for name, result in results.items():
        (folder / f"{name}.json").write_text(to_json(result))
    (folder / "text.json").write_text("{")
    (folder / "other.json").write_text('{"format": "other"}')
    (folder / "bytes.json").write_bytes(b"\xff\x00")
    return folder


def compare(files: Path, *names: str) -> click.testing.Result:
    paths = [str(files / f"{name}.json") for name in names]
    runner = click.testing.CliRunner(env={"COLUMNS": "200"})
    return runner.invoke(mlpserve, ["bench", "compare", *paths])


def test_a_difference_is_told_with_its_interval(files: Path) -> None:
    result = compare(files, "before", "after")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "B's p50 is 1.3" in result.stdout
    assert "x A's (95% interval 1.2" in result.stdout
    assert "calls/s OK" in result.stdout
    assert "!" not in result.stdout
    assert compare(files, "before", "after").stdout == result.stdout


def test_chance_is_told_too(files: Path) -> None:
    result = compare(files, "before", "same")
    assert result.exit_code == 0
    assert "No difference beyond chance." in result.stdout


def test_other_plans_are_told(files: Path) -> None:
    result = compare(files, "before", "faster")
    assert "! The plans differ, which may explain everything: rate 1000.0 in A, 2000.0 in B." in (
        result.stdout
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("before", "short"), "Error: B has 9 whole seconds, and it takes 10"),
        (("text", "before"), "text.json: not a result of mlpserve bench --json: Expecting"),
        (("before", "other"), 'other.json: not a result of mlpserve bench --json: it has no "f'),
        (("bytes", "before"), "bytes.json: 'utf-8' codec can't decode"),
        (("before", "nowhere"), "nowhere.json' does not exist"),
        (("before",), "Missing argument 'B'"),
    ],
)
def test_what_can_t_be_compared(files: Path, names: tuple[str, ...], words: str) -> None:
    result = compare(files, *names)
    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_both_commands_have_help() -> None:
    runner = click.testing.CliRunner()
    assert "Usage: mlpserve bench compare [OPTIONS] A B" in (
        runner.invoke(mlpserve, ["bench", "compare", "--help"], prog_name="mlpserve").stdout
    )
    assert "Usage: mlpserve bench [OPTIONS] ADDRESS" in (
        runner.invoke(mlpserve, ["bench", "--help"], prog_name="mlpserve").stdout
    )
