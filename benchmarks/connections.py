"""Prints what a client's options for its connections cost the caller, in one run."""

import contextlib
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.progress import track

from harness.load import pin_caller, print_table, repository_option, server_command, started
from mlpserve import Client
from mlpserve.connection.channels import open_channel
from mlpserve.connection.options import SERVICE
from mlpserve.connection.settings import Settings
from mlpserve.protocol.predict import encode_head, encode_request

ADDRESS = "127.0.0.1:50067"
STUB, PLAIN = "gRPC's stub, ready message", "Client"
CLIENTS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "connections=8": {"connections": 8},
    "hedge_after_seconds=1": {"hedge_after_seconds": 1.0},
    'compression="gzip"': {"compression": "gzip"},
    "wait_for_ready=True": {"wait_for_ready": True},
}


@click.command()
@repository_option
@click.option("--calls", default=1000, show_default=True, help="Calls of each kind in a round.")
@click.option(
    "--rounds", default=9, show_default=True, help="Rounds, in each of which all take turns."
)
def main(repository: Path, calls: int, rounds: int) -> None:
    """Call for one image, one call after the other, with clients of several kinds in turns."""
    image = np.random.default_rng(0).integers(0, 256, 784, np.uint8)
    request = encode_request(encode_head(), image)
    command = server_command(ADDRESS, "--repository", str(repository.resolve()))
    with contextlib.ExitStack() as opened:
        opened.enter_context(started(command, ADDRESS))
        pin_caller()
        settings = Settings.check(ADDRESS, 10.0, None, None, None, False)
        channel = opened.enter_context(open_channel(settings))
        method: Any = channel.unary_unary(f"/{SERVICE}/Predict")
        kinds: dict[str, Callable[[], object]] = {STUB: lambda: method(request, timeout=10.0)}
        for name, options in CLIENTS.items():
            client = opened.enter_context(Client(ADDRESS, **options))
            kinds[name] = functools.partial(client.predict, image)
        microseconds = _measure(kinds, calls, rounds)
    plain = microseconds[PLAIN]
    print_table(
        ("caller, one image at a time", "CPU us a call", "of Client's"),
        [
            (name, f"{statistics.median(each):.0f}", f"{_ratio(each, plain):.2f}")
            for name, each in microseconds.items()
        ],
    )


def _measure(
    kinds: dict[str, Callable[[], object]], calls: int, rounds: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for number in track(range(rounds + 1), "calling"):
        for name, call in kinds.items():
            begin = time.process_time()
            for _ in range(calls):
                call()
            seconds = time.process_time() - begin
            # The first round connects.
            if number:
                found[name].append(1e6 * seconds / calls)
    return found


def _ratio(each: list[float], plain: list[float]) -> float:
    """Return the median of the rounds' ratios, which a slow minute leaves alone."""
    return statistics.median(one / other for one, other in zip(each, plain, strict=True))


if __name__ == "__main__":
    main()
