"""Prints what a thousand idle streams leave to other callers of a server that has room for few."""

import statistics
import time
from typing import Any

import click
import grpc

from harness.calls import Idle, stream_method
from harness.load import latencies, memory_mib, repository_of, server_command, started

ADDRESS = "127.0.0.1:50085"
SECONDS = 1.0
"""Of calls, for each figure."""


@click.command()
@click.option("--streams", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
def main(streams: int, limit: int) -> None:
    """Open streams that say nothing, over one connection, and call over another."""
    with repository_of(784, 16, 16, 10) as models:
        flags = ("--max-streams", str(limit), "--log-level", "error")
        command = server_command(ADDRESS, "--repository", str(models), *flags)
        with (
            started(command, ADDRESS) as process,
            grpc.insecure_channel(ADDRESS) as channel,
            grpc.insecure_channel(ADDRESS, [("grpc.use_local_subchannel_pool", 1)]) as other,
        ):
            before, memory = statistics.median(latencies(other, SECONDS)), memory_mib(process.pid)
            stream = stream_method(channel)
            requests = [Idle() for _ in range(streams)]
            begin = time.perf_counter()
            calls: list[Any] = [stream(iter(idle), timeout=600) for idle in requests]
            while sum(call.done() for call in calls) < streams - limit:
                time.sleep(0.001)
            refused = time.perf_counter() - begin
            beside, more = statistics.median(latencies(other, SECONDS)), memory_mib(process.pid)
            for idle in requests:
                idle.finish()
    click.echo(f"{streams - limit:,} of {streams:,} streams refused after {refused:.2f} s")
    click.echo(f"a call beside the others takes {beside / before:.2f} times what it took before")
    click.echo(f"memory {memory:.0f} MiB before, {more:.0f} MiB with them")


if __name__ == "__main__":
    main()
