"""Reads /metrics as Prometheus does."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.server_process import ServerProcess


def samples(server: ServerProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    page = httpx.get(f"http://{server.http_address}/metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(server: ServerProcess, name: str, **labels: str) -> float:
    """Sum the samples of this name that have these labels, among others."""
    wanted = labels.items()
    return sum(v for (found, its), v in samples(server).items() if found == name and wanted <= its)
