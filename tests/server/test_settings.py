"""Settings come from flags, environment and file, in that order, and mistakes are errors."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from server.__main__ import main
from tests.server_process import run_to_end, start_server


def test_help_lists_every_setting_with_its_variable() -> None:
    text = CliRunner().invoke(main, ["--help"]).output
    for word in (
        "--grpc-address",
        "MLPSERVE_GRPC_ADDRESS",
        "--max-batch-size",
        "default: 4096",
        "--config",
    ):
        assert word in " ".join(text.split()), text


def test_flag_wins_over_environment_over_file(tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('default_model = "of-file"\nrepository = "of-file"\nlog_level = "error"\n')
    ended = run_to_end("--config", str(file))
    assert "the repository of-file is not a folder" in ended.stderr
    ended = run_to_end("--config", str(file), MLPSERVE_REPOSITORY="of-environment")
    assert "the repository of-environment is not a folder" in ended.stderr
    ended = run_to_end(
        "--config", str(file), "--repository", str(repository), MLPSERVE_REPOSITORY="of-environment"
    )
    assert "the default model 'of-file' is not in" in ended.stderr
    with start_server(
        repository, "--log-level", "info", "--default-model", "digits", MLPSERVE_CONFIG=str(file)
    ) as running:
        assert running.grpc_address


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("max_batch_sise = 3", "unknown key 'max_batch_sise'; known keys: "),
        ("max_batch_size = ", "can't be read"),
        ("max_batch_size = 0", "max_batch_size"),
        ('stop_grace_seconds = "soon"', "stop_grace_seconds"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(content)
    ended = run_to_end("--config", str(file))
    assert ended.returncode == 2
    assert words in " ".join(ended.stderr.replace("-", "_").split())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["--threads", "0"], ["--thread", "x"], ["--log-format", "xml"], ["extra"]]
)
def test_mistakes_in_the_flags(arguments: list[str]) -> None:
    ended = run_to_end(*arguments)
    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_mistakes_in_the_environment() -> None:
    ended = run_to_end(MLPSERVE_MAX_BATCH_SIZE="many")
    assert ended.returncode == 2
    assert "'--max-batch-size'" in ended.stderr
