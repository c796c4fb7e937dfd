"""A real Prometheus with the shipped rules, which scrapes and evaluates each second."""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from harness.server_process import ROOT
from harness.waiting import PATIENCE_SECONDS
from tests.deploy.programs import free_address, running
from tests.deploy.rules import PROMETHEUS
from tests.programs import need

TIMEOUT_SECONDS = 150.0
_INTERVAL = re.compile(r"^(\s+interval:) \w+$", re.MULTILINE)
_FOR = re.compile(r"^(\s+for:) \w+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    address: str
    process: "subprocess.Popen[bytes]"

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return the value of each series that an expression has now, by its labels."""
        return {
            frozenset(series["metric"].items()): float(series["value"][1])
            for series in self.get("query", query=expression)["result"]
        }

    def value(self, expression: str) -> float:
        """Return the value of the only series."""
        (value,) = self.query(expression).values()
        return value

    def get(self, what: str, **parameters: str) -> Any:
        """Ask the API; raises httpx.HTTPError."""
        answer = httpx.get(
            f"http://{self.address}/api/v1/{what}", params=parameters, timeout=PATIENCE_SECONDS
        )
        return answer.raise_for_status().json()["data"]

    def own_metrics(self) -> str:
        """Return what it counts of itself; raises httpx.HTTPError."""
        answer = httpx.get(f"http://{self.address}/metrics", timeout=PATIENCE_SECONDS)
        return answer.raise_for_status().text

    def wait_for(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return what an expression has once it has a series, before a test gives up."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if found := self.query(expression):
                    return found
            time.sleep(0.1)
        raise AssertionError(f"Prometheus has nothing for {expression}")


@contextlib.contextmanager
def start_prometheus(
    folder: Path, target: str, alertmanager: str = "", *, more: str = ""
) -> Iterator[Prometheus]:
    """Run a Prometheus with what is shipped, but for where the others are and how long it waits.

    Without an Alertmanager's address it tells nobody. `more` is a file of further rules.
    """
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config["global"]["evaluation_interval"] = "1s"
    told = [{"targets": [alertmanager]}] if alertmanager else []
    config["alerting"]["alertmanagers"] = [{"static_configs": told}]
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "mlpserve")
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [target]}]
    config["scrape_configs"] = [job]
    address = free_address()
    with run(folder, config, address, _flags(address), more=more) as started:
        yield started


@contextlib.contextmanager
def run(
    folder: Path, config: Any, address: str, flags: Sequence[str] = (), *, more: str = ""
) -> Iterator[Prometheus]:
    """Run a Prometheus with a configuration, and the shipped rules and `more` beside it."""
    program = need("prometheus", "prometheus")
    write_rules(folder / "rules")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    if more:
        (folder / "rules" / "more.yml").write_text(more)
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *flags,
    ]
    with running(command, folder / "log") as process:
        yield Prometheus(address, process)


def write_rules(folder: Path) -> None:
    """Write the shipped rules, which are evaluated each second, into a new folder."""
    folder.mkdir(parents=True)
    for file in (PROMETHEUS / "rules").glob("*.yml"):
        # Longer than a busy machine may keep a page from being read.
        text = _FOR.sub(r"\1 2s", _INTERVAL.sub(r"\1 1s", file.read_text()))
        (folder / file.name).write_text(text)


def _flags(address: str) -> list[str]:
    """Return the flags of docker-compose.yml that are the same everywhere but for their places."""
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]
    flags = [flag for flag in service["command"] if not flag.startswith(("--config", "--storage"))]
    places = (("/etc/prometheus", str(PROMETHEUS)), ("localhost:9090", address))
    for there, here in places:
        flags = [flag.replace(there, here) for flag in flags]
    return flags
