"""Serves as a worker does, alone in its process, with or without counting anything."""

import threading
import time
from pathlib import Path
from typing import Any

import click

from server.app import Server
from server.logs.setup import configure_logs
from server.settings.settings import Settings
from server.telemetry import accumulators, calls, predictions, version_stats


def stop_counting() -> None:
    """Make all that happens for each call or run, and only for the metrics, do nothing."""

    def nothing(*_arguments: Any) -> float:
        return 0.0

    def now(*_arguments: Any) -> float:
        return time.perf_counter()

    # Deadlines are counted from the time that `start` returns.
    for kind, names, stand_in in (
        (calls.Calls, ("start",), now),
        (calls.Calls, ("end", "exchange"), nothing),
        (accumulators.HotHistogram, ("observe", "observe_all", "add"), nothing),
        (version_stats.VersionStats, ("count_run", "observe"), nothing),
        (predictions.Predictions, ("count_run", "count_failure"), nothing),
    ):
        for name in names:
            setattr(kind, name, stand_in)


@click.command()
@click.argument("address")
@click.option("--repository", type=click.Path(path_type=Path), required=True)
@click.option("--counting/--no-counting", default=True, show_default=True)
def main(address: str, repository: Path, counting: bool) -> None:
    """Serve the models of a repository at ADDRESS (HOST:PORT) until told to stop."""
    configure_logs("warning", "auto")
    if not counting:
        stop_counting()
    server = Server(Settings(grpc_address=address, repository=repository, watch="off"))
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
