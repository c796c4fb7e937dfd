"""`mlpserve top` counts exactly the calls that a real server got, and says when it can't."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.scrape import value
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS
from mlpserve import Client
from mlpserve.command.commands import mlpserve
from mlpserve.errors import InvalidRequest
from mlpserve.metrics.exposition import parse
from mlpserve.terminal.numbers import format_share

IMAGES = 5
GOOD, WRONG = 20, 3
# The server may be slow to answer where much else runs.
PATIENT = ("--timeout-seconds", str(PATIENCE_SECONDS))


@pytest.fixture(scope="module")
def two_workers(repository: Path) -> Iterator[ServerProcess]:
    with start_server(repository, "--workers", "2") as server:
        yield server


def look(
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[], object],
    *options: str,
    times: int = 1,
) -> Result:
    """Run the command in this process, and do something between its looks, a second apart, until
    it has been done so many times and Ctrl+C is pressed.
    """
    now = 0.0

    def sleep(_seconds: float) -> None:
        nonlocal now
        if now == times:
            raise KeyboardInterrupt
        meanwhile()
        now += 1.0

    clock = SimpleNamespace(monotonic=lambda: now, sleep=sleep)
    monkeypatch.setattr("mlpserve.command.top.time", clock)
    # As in a pipe: nothing is cut for lack of width.
    runner = CliRunner(env={"COLUMNS": None})
    result = runner.invoke(mlpserve, ["top", address, *PATIENT, *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def look_once(
    address: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> Result:
    """Run it with --once, and do something between its two looks."""
    return look(address, monkeypatch, meanwhile, "--once")


def rows(result: Result) -> dict[str, list[str]]:
    """Return the words of each line after its first column."""
    assert (result.exit_code, result.stderr) == (0, "")
    cells = (re.split("  +", line) for line in result.stdout.splitlines())
    return {first: " ".join(others).split() for first, *others in cells}


def call(server: ServerProcess, images: Batch) -> None:
    """Make good calls and wrong ones, over a connection each, so that both workers get some."""
    for number in range(GOOD):
        with Client(server.grpc_address) as client:
            client.predict(images[number * IMAGES : (number + 1) * IMAGES])
    for _ in range(WRONG):
        with Client(server.grpc_address) as client, pytest.raises(InvalidRequest):
            client.predict(np.zeros((1, 28, 27), np.uint8))


def test_the_calls_that_were_made(
    two_workers: ServerProcess, digits: tuple[Batch, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Totals have those before the first look too, rates and all else have not."""
    images, _ = digits
    call(two_workers, images)
    shown = rows(
        look_once(two_workers.http_address, monkeypatch, lambda: call(two_workers, images))
    )
    rate, count, errors, good, *quantiles = shown["Predict"]
    assert (rate, count, errors) == (str(GOOD + WRONG), str(2 * (GOOD + WRONG)), str(WRONG))
    assert good == "100%"
    assert "-" not in quantiles
    codes = f"OK {2 * GOOD} ({GOOD}/s) InvalidArgument {2 * WRONG} ({WRONG}/s)"
    assert shown["calls by code"] == codes.split()
    total = f"{2 * GOOD * IMAGES} since the start"
    assert shown["images"] == [f"{GOOD * IMAGES}/s", *total.split()]
    assert shown["images in a run"][:2] == ["mean", str(IMAGES)]
    assert {"0", "1", "parent", "digits 1"} <= set(shown)
    # Whoever looks later sees them, too, though nothing happens any more.
    shown = rows(look_once(two_workers.http_address, monkeypatch, lambda: None))
    assert shown["Predict"][:2] == ["0", count]
    assert (
        shown["calls by code"] == f"OK {2 * GOOD} (0/s) InvalidArgument {2 * WRONG} (0/s)".split()
    )
    assert shown["images"] == ["0/s", *total.split()]
    assert "no" not in shown


def test_each_version_has_its_predictions(
    two_workers: ServerProcess, digits: tuple[Batch, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = digits
    with Client(two_workers.grpc_address) as client:
        labels = client.predict(images[:200]).labels
        answer = look_once(
            two_workers.http_address, monkeypatch, lambda: client.predict(images[:200])
        )
    predictions, seen = (
        line.removeprefix("digits 1").split()
        for line in answer.stdout.splitlines()
        if line.startswith("digits 1")
    )
    assert predictions[:2] == ["100%", "1"]
    assert "-" not in predictions
    rate, total, p10, p50, p90, drift, differs, *pairs = seen
    assert (rate, total, differs) == ("200", str(2 * GOOD * IMAGES + 400), "-")
    assert 0 < float(p10) < float(p50) < float(p90) <= 1
    assert float(drift) > 0
    counts = dict(enumerate(np.bincount(labels)))
    shares = {str(label): format_share(count / 200) for label, count in counts.items() if count}
    assert dict(zip(pairs[::2], pairs[1::2], strict=True)) == shares


def test_rates_cover_the_last_seconds(
    two_workers: ServerProcess, digits: tuple[Batch, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = digits
    left = [4, 0, 0]
    with Client(two_workers.grpc_address) as client:

        def predict() -> None:
            for _ in range(left.pop(0)):
                client.predict(images[:1])

        options = ("--over-seconds", "2")
        shown = look(two_workers.http_address, monkeypatch, predict, *options, times=3).stdout
    assert re.findall(r"last (\S+) s", shown) == ["1", "2", "2"]
    assert re.findall(r"Predict +(\S+)", shown) == ["4", "2", "0"]


def test_a_killed_worker_is_counted_and_what_it_has_counted_is_kept(
    two_workers: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = int(value(two_workers, "grpc_server_started_total", grpc_method="Predict"))

    def kill() -> None:
        os.kill(two_workers.workers[0], signal.SIGKILL)
        two_workers.wait_for("worker ready")

    shown = rows(look_once(two_workers.http_address, monkeypatch, kill))
    assert shown["restarts by reason"] == ["killed", "1", "(1/s)"]
    assert shown["Predict"][:2] == ["0", str(counted)]
    assert value(two_workers, "grpc_server_started_total", grpc_method="Predict") < counted


def test_a_real_page_is_read_as_by_the_library(two_workers: ServerProcess) -> None:
    page = httpx.get(f"http://{two_workers.http_address}/metrics", timeout=60).text
    expected = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    found = {
        (name, labels): value
        for name, series in parse(page).items()
        for labels, value in series.items()
    }
    assert len(found) > 100
    assert found == expected


def test_the_address_of_grpc(two_workers: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    result = look_once(two_workers.grpc_address, monkeypatch, lambda: None)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {two_workers.grpc_address} does not speak HTTP")
    assert result.stderr.count("\n") == 1


def test_into_a_pipe(two_workers: ServerProcess) -> None:
    """One look follows the other, until Ctrl+C."""
    command = [sys.executable, "-m", "mlpserve", "top", two_workers.http_address]
    with subprocess.Popen(
        [*command, *PATIENT, "--interval-seconds", "0.1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as top:
        assert top.stdout is not None
        heads = (line for line in top.stdout if line.startswith("mlpserve at "))
        assert "2 of 2 workers ready" in next(heads)
        assert "2 of 2 workers ready" in next(heads)
        top.send_signal(signal.SIGINT)
        top.stdout.read()
    assert top.returncode == 0


def test_on_a_terminal(two_workers: ServerProcess) -> None:
    """It is drawn again and again, outlives the server, and ends without a word on Ctrl+C.

    The last test of this server.
    """
    with on_terminal(two_workers.http_address) as (top, terminal):
        read_until(terminal, r"2 of 2 workers ready")
        with Client(two_workers.grpc_address) as client:
            client.list_models()
        read_until(terminal, r"ListModels +\S+ +1 ")
        assert two_workers.terminate() == 0
        read_until(terminal, r"does not answer \(connection refused\)")
        top.send_signal(signal.SIGINT)
        read_until(terminal, re.escape("\x1b[?1049l"))
        _, errors = top.communicate(timeout=60)
        assert (top.returncode, errors) == (0, b"")


@contextlib.contextmanager
def on_terminal(address: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run the command on a terminal; yields its process and what to read the terminal from."""
    ours, theirs = pty.openpty()
    top = subprocess.Popen(
        [sys.executable, "-m", "mlpserve", "top", address, *PATIENT, "--interval-seconds", "0.1"],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    try:
        yield top, ours
    finally:
        if top.poll() is None:
            top.kill()
            top.communicate()
        os.close(ours)
        os.close(theirs)


def read_until(terminal: int, pattern: str) -> None:
    """Read what is drawn until it matches, for a minute at most."""
    seen, end = "", time.monotonic() + 60
    while not re.search(pattern, seen):
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{pattern!r} was not drawn: {seen[-2000:]!r}"
        seen += os.read(terminal, 65536).decode(errors="replace")
