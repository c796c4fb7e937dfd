"""Prints how long the page of metrics takes, by the number of workers, and what calls notice."""

import statistics
import threading
import time
import urllib.request
from pathlib import Path

import click
import grpc
from rich.console import Console
from rich.progress import track
from rich.table import Table

from harness.load import repository_option, request
from harness.server_process import start_server
from server.rpc.endpoint import PREDICT


def scrape(address: str) -> tuple[float, int]:
    """Return how many seconds the page took, and its bytes."""
    begin = time.perf_counter()
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as page:
        size = len(page.read())
    return time.perf_counter() - begin, size


def latencies(address: str, seconds: float) -> list[float]:
    """Return what one call after the other took, in seconds."""
    message, found = request(1), []
    with grpc.insecure_channel(address) as channel:
        predict: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT)
        end = time.perf_counter() + seconds
        while (begin := time.perf_counter()) < end:
            predict(message, timeout=30, wait_for_ready=True)
            found.append(time.perf_counter() - begin)
    return found


@click.command()
@click.option("--workers", "numbers", multiple=True, type=int, default=(1, 8), show_default=True)
@click.option("--scrapes", default=40, show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="Of calls, for each figure.")
@repository_option
def main(numbers: tuple[int, ...], scrapes: int, seconds: float, repository: Path) -> None:
    """Scrape servers of several workers, at rest and, ten times a second, while calls are made."""
    table = Table("workers", "page kB", "median ms", "slowest ms", "p99 of calls ms", "scraped ms")
    for column in table.columns:
        column.justify = "right"
    for number in track(numbers, "measuring", console=Console(stderr=True)):
        with start_server(repository, "--workers", str(number)) as server:
            latencies(server.grpc_address, 1.0)
            pages = [scrape(server.http_address) for _ in range(scrapes)]
            alone = statistics.quantiles(latencies(server.grpc_address, seconds), n=100)[-1]
            stop = threading.Event()

            def watch(address: str = server.http_address, stop: threading.Event = stop) -> None:
                while not stop.wait(0.1):
                    scrape(address)

            thread = threading.Thread(target=watch)
            thread.start()
            watched = statistics.quantiles(latencies(server.grpc_address, seconds), n=100)[-1]
            stop.set()
            thread.join()
        taken = [seconds * 1e3 for seconds, _ in pages]
        table.add_row(
            str(number),
            f"{pages[-1][1] / 1000:,.0f}",
            f"{statistics.median(taken):.1f}",
            f"{max(taken):.1f}",
            f"{alone * 1e3:.2f}",
            f"{watched * 1e3:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
