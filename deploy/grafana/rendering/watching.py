"""Runs a Prometheus of its own, with the rules of deploy/prometheus, to ask it questions."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
import httpx

Seen = TypeVar("Seen")

RULES = Path(__file__).resolve().parents[2] / "prometheus" / "rules"
START_SECONDS = 30.0

_LISTENS = re.compile(r'msg="Listening on" address=(\S+)')


def configure(
    folder: Path, server: str, scrape: str, *, more: str = "", hurry: bool = False
) -> Path:
    """Write prometheus.yml and the shipped rules into the folder; returns the former.

    `server` is where the server's HTTP listens, as HOST:PORT; `scrape` is how often it is read, and
    how often the rules are evaluated that don't say it themselves, or all of them in a `hurry`.
    `more` is a file of further rules.
    """
    rules = folder / "rules"
    rules.mkdir()
    for file in RULES.glob("*.yml"):
        text = file.read_text()
        if hurry:
            text = re.sub(r"(?m)^ +interval: \w+\n", "", text)
        (rules / file.name).write_text(text)
    if more:
        (rules / "more.yml").write_text(more)
    config = folder / "prometheus.yml"
    config.write_text(f"""\
global: {{scrape_interval: {scrape}, scrape_timeout: {scrape}, evaluation_interval: {scrape}}}
rule_files: ["rules/*.yml"]
scrape_configs:
  - job_name: mlpserve
    static_configs:
      - targets: ["{server}"]
""")
    return config


@contextlib.contextmanager
def prometheus(config: Path) -> Iterator[str]:
    """Run a Prometheus beside its configuration until the block ends; gives its HOST:PORT."""
    program = shutil.which("prometheus")
    if program is None:
        raise click.ClickException("prometheus is missing: apt-get install prometheus")
    log = config.with_name("prometheus.log")
    options = [f"--config.file={config}", f"--storage.tsdb.path={config.with_name('data')}"]
    with log.open("w") as written:
        process = subprocess.Popen(  # noqa: S603  # it is what this is for
            [program, *options, "--web.listen-address=127.0.0.1:0"], stdout=written, stderr=written
        )
    try:
        address = _wait(process, log, lambda: _LISTENS.search(log.read_text()), "listen")[1]
        # It listens before it has opened its storage, and answers no question till then.
        _wait(process, log, lambda: _is_ready(address), "become ready")
        yield address
    finally:
        process.terminate()
        process.wait()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=START_SECONDS).is_success
    except httpx.TransportError:
        return False


def _wait(
    process: "subprocess.Popen[bytes]", log: Path, look: Callable[[], Seen | None], what: str
) -> Seen:
    """Return what is seen as soon as it is something."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise click.ClickException(f"prometheus does not {what}: {log.read_text()[-500:]}")
