"""The commands in docs/bench.md run as they stand, against a server, and print what it shows."""

import functools
import shlex
from collections.abc import Iterator
from pathlib import Path

import click.testing
import pytest

from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS
from mlpserve.bench.encoding import to_json
from mlpserve.bench.find_rate import find_rate
from mlpserve.command.commands import mlpserve
from tests.documents import pages
from tests.mlpserve.bench.results import lognormal, make_result

COMMANDS = [
    line.removeprefix(".venv/bin/mlpserve ")
    for block in pages.blocks("docs/bench.md")
    for line in block.text.splitlines()
]

ROWS = (
    "calls ",
    "statuses ",
    "rate ",
    "the tool ",
    "labels ",
    "latency ",
    "from intended ",
    "from sent ",
    "the tool's own lag ",
    " up to  from intended ",
    "where the time went ",
    "client, from sent ",
    "  network and client ",
    "  server ",
    "    decode ",
    "    queue ",
    "    run ",
    "    encode ",
)
"""How lines of a result begin that the page explains."""


@pytest.fixture(scope="module")
def alone(repository: Path) -> Iterator[ServerProcess]:
    """A server that nobody else calls."""
    with start_server(repository) as server:
        yield server


def run(server: ServerProcess, command: str) -> click.testing.Result:
    """Run a command against a server, for a moment."""
    words = [
        server.grpc_address if word == "localhost:50051" else word for word in shlex.split(command)
    ]
    if "compare" not in words:
        if "--seconds" in words:
            del words[words.index("--seconds") : words.index("--seconds") + 2]
        words += ["--seconds", "0.3", "--warmup-seconds", "0", "--metrics", server.http_address]
        words += ["--timeout-seconds", str(PATIENCE_SECONDS)]
    runner = click.testing.CliRunner(env={"COLUMNS": "80"})
    return runner.invoke(mlpserve, words)


def test_every_command_runs(
    alone: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = functools.partial(find_rate, max_probes=2)
    monkeypatch.setattr("mlpserve.command.bench.searching.find_rate", few)
    for command in COMMANDS:
        if command.startswith("bench compare"):
            assert Path("before.hgrm").is_file()
            # They take longer than a test may.
            for seed, name in enumerate(("before.json", "after.json")):
                assert Path(name).is_file()
                Path(name).write_text(to_json(make_result(lognormal(12, 300, seed=seed))))
        # On a busy machine no rate may hold, or answers are late.
        command = command.replace("--p99 20ms", "--p99 15ms")
        result = run(alone, command)
        assert result.exit_code == 0 or "--find-rate" in command, result.output
        assert result.exit_code in (0, 1), result.output
        assert result.stdout
    assert len(COMMANDS) >= 6


def test_what_is_shown_is_what_is_printed(alone: ServerProcess) -> None:
    printed = run(alone, COMMANDS[0])
    assert printed.exit_code == 0, printed.output
    shown = pages.block("docs/bench.md", "the tool's own lag").text
    for row in ROWS:
        assert any(line.startswith(row) for line in shown.splitlines()), row
        assert any(line.startswith(row) for line in printed.stdout.splitlines()), row
