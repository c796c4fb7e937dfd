"""Prints how long the page of metrics takes, by the number of workers, and what calls notice."""

import statistics
import threading
import time
from pathlib import Path

import click
import grpc
import httpx
from rich.console import Console
from rich.progress import track

from harness.load import latencies, print_table, repository_option
from harness.server_process import start_server
from harness.waiting import running_threads


def scrape(address: str) -> tuple[float, int]:
    """Return how many seconds the page took, and its bytes."""
    begin = time.perf_counter()
    page = httpx.get(f"http://{address}/metrics", timeout=30).raise_for_status()
    return time.perf_counter() - begin, len(page.content)


@click.command()
@click.option("--workers", "numbers", multiple=True, type=int, default=(1, 8), show_default=True)
@click.option("--scrapes", default=40, show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="Of calls, for each figure.")
@repository_option
def main(numbers: tuple[int, ...], scrapes: int, seconds: float, repository: Path) -> None:
    """Scrape servers of several workers, at rest and, ten times a second, while calls are made."""
    rows = []
    for number in track(numbers, "measuring", console=Console(stderr=True)):
        with (
            start_server(repository, "--workers", str(number)) as server,
            grpc.insecure_channel(server.grpc_address) as channel,
        ):
            latencies(channel, 1.0)
            pages = [scrape(server.http_address) for _ in range(scrapes)]
            alone = statistics.quantiles(latencies(channel, seconds), n=100)[-1]
            stop = threading.Event()

            def watch(address: str = server.http_address, stop: threading.Event = stop) -> None:
                while not stop.wait(0.1):
                    scrape(address)

            with running_threads(1, watch):
                watched = statistics.quantiles(latencies(channel, seconds), n=100)[-1]
                stop.set()
        taken = [seconds * 1e3 for seconds, _ in pages]
        times = [f"{statistics.median(taken):.1f}", f"{max(taken):.1f}"]
        calls = [f"{p99 * 1e3:.2f}" for p99 in (alone, watched)]
        rows.append((str(number), f"{pages[-1][1] / 1000:,.0f}", *times, *calls))
    headings = ("workers", "page kB", "median ms", "slowest ms", "p99 of calls ms", "scraped ms")
    print_table(headings, rows, names=0)


if __name__ == "__main__":
    main()
