"""The command `mlpserve top`: what a server does now, for the person without a dashboard."""

import time
from pathlib import Path

import click
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from mlpserve.command.options import ca_option, time_option, tls_option
from mlpserve.command.overview import draw
from mlpserve.metrics.exposition import DEFAULT_ADDRESS, PageError, fetch
from mlpserve.metrics.looks import RecentWatch
from mlpserve.terminal.tables import make_console


@click.command()
@click.argument("address", default=DEFAULT_ADDRESS)
@click.option("--once", is_flag=True, help="Print once, after one interval, and exit.")
@time_option("--over-seconds", 10.0, "The time that rates and quantiles cover.", min_seconds=0.1)
@time_option("--interval-seconds", 1.0, "Time between two updates.", min_seconds=0.1)
@time_option("--timeout-seconds", 10.0, "How long the server may take to answer.")
@tls_option
@ca_option
def top(
    address: str,
    once: bool,
    over_seconds: float,
    interval_seconds: float,
    timeout_seconds: float,
    tls: bool,
    ca: Path | None,
) -> None:
    """Show what the server at ADDRESS does: calls, latency, errors, workers and models.

    ADDRESS is HOST:PORT of the server's metrics, its --http-address (default: localhost:8080).
    Totals are since the server's start; rates, quantiles, shares and labels cover the last
    --over-seconds. The page /watch of the same address shows the same, with charts.
    """
    console = make_console()
    watch = RecentWatch(over_seconds)

    def look() -> RenderableType:
        page = fetch(address, timeout_seconds, tls=tls, ca=ca)
        return draw(address, watch.look(page, time.monotonic()))

    try:
        look()
        if once or not console.is_terminal:
            while True:
                time.sleep(interval_seconds)
                console.print(look())
                if once:
                    return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval_seconds)
                try:
                    shown = look()
                except PageError as error:
                    # It may be restarting.
                    shown = Text(str(error), "red")
                live.update(shown, refresh=True)
    except PageError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        # Ctrl-C is how to leave.
        return
