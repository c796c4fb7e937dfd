"""Prints what an honest caller gets, and what memory the server takes, while another attacks it."""

import time
from pathlib import Path

import click

from harness.http2.attacks import ATTACKS, attacking
from harness.load import (
    Shape,
    family,
    memory_mib,
    need_h2load,
    print_table,
    repository_option,
    run,
    server_command,
    started,
)
from server.rpc.endpoint import PREDICT

ADDRESS = "127.0.0.1:50074"
HONEST = Shape(1, 16)
WARM_UP_SECONDS = 1.0


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Of each attack.")
@click.option("--path", default=PREDICT, show_default=True, help="The method that is attacked.")
@click.option(
    "--attack", "names", multiple=True, type=click.Choice(list(ATTACKS)), help="Only this one."
)
@click.option("--lane", default="on", show_default=True, type=click.Choice(["on", "off"]))
@repository_option
def main(seconds: float, path: str, names: tuple[str, ...], lane: str, repository: Path) -> None:
    """Attack a server over one connection, each time a new one, and call it over another.

    The honest caller has 16 calls of one image in flight. Its figure counts refusals as answers.
    """
    need_h2load()
    rows = []
    command = server_command(ADDRESS, "--repository", str(repository), "--lane", lane)
    for name in names or ATTACKS:
        with started(command, ADDRESS) as process:
            workers = family(process.pid)
            with attacking(ADDRESS, ATTACKS[name], path) as begun:
                begun.wait()
                time.sleep(WARM_UP_SECONDS)
                calls = run(process, ADDRESS, HONEST, seconds).calls_per_second
                memory = memory_mib(process.pid)
            if family(process.pid) != workers:
                raise click.ClickException(f"{name}: a worker has died")
        rows.append((name, f"{calls:,.0f}", f"{memory:.0f}"))
    print_table(("attack", "honest calls/s", "memory MiB"), rows)


if __name__ == "__main__":
    main()
