"""A real Prometheus that holds given pages, as if it had read them at given times."""

import contextlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.deploy.programs import free_address, running
from tests.deploy.prometheus import Prometheus
from tests.programs import need


@contextlib.contextmanager
def start_prometheus(folder: Path, pages: Iterable[tuple[str, float]]) -> Iterator[Prometheus]:
    """Run a Prometheus with the samples of texts of /metrics, each with its time in seconds."""
    promtool, program = need("promtool", "prometheus"), need("prometheus", "prometheus")
    lines = [
        f"{line} {seconds}\n"
        for text, seconds in pages
        for line in text.splitlines()
        if not line.startswith("#")
    ]
    samples, data, config = folder / "samples", folder / "data", folder / "prometheus.yml"
    samples.write_text("".join(lines) + "# EOF\n")
    config.write_text("scrape_configs: []\n")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(samples), str(data)]
    subprocess.run(command, check=True, capture_output=True)
    address = free_address()
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with running(command, folder / "log") as process:
        prometheus = Prometheus(address, process)
        prometheus.wait_for("vector(1)")
        yield prometheus
