"""Prints the tables of docs/scaling.md: what measured costs add up to, and a simulated balance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import numpy as np

SEED = 0
ARRIVALS = 60_000
LOAD = 0.7
"""The share of their time that the workers are busy in the simulation."""

WORKERS = 16
CONNECTIONS_PER_WORKER = (1, 2, 4, 16, 64)

IMAGE_BYTES = {"float32": 4 * 784, "uint8": 784}
GOAL = 1_000_000
USABLE = 0.7
"""How busy a worker may be, so that calls need not wait long."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call of some images costs a worker, in microseconds of one core."""

    images: int
    call_us: float

    @property
    def images_per_second(self) -> float:
        """Images that one usable core classifies in a second."""
        return self.images / self.call_us * 1e6 * USABLE


Policy = Callable[[np.random.Generator, Sequence[float], int], int]
"""Chooses a worker for a call: by chance, by when each is free, by the connection's number."""


def pinned(workers: int, connections: int) -> Policy:
    """Each connection stays with the worker that it once met, as balancers of connections do."""
    of_connection = np.random.default_rng(SEED).integers(workers, size=connections)
    return lambda _random, _free, connection: int(of_connection[connection])


def at_random(_workers: int, _connections: int) -> Policy:
    """Each call goes anywhere."""
    return lambda random, free, _connection: int(random.integers(len(free)))


def better_of_two(_workers: int, _connections: int) -> Policy:
    """Each call goes to the one of two that is free earlier: least request, as proxies do."""

    def choose(random: np.random.Generator, free: Sequence[float], _connection: int) -> int:
        one, other = random.integers(len(free), size=2).tolist()
        return int(one if free[one] <= free[other] else other)

    return choose


def in_turns(_workers: int, _connections: int) -> Policy:
    """Each call goes to the next worker: round robin, as clients do that know all addresses."""
    turn = -1

    def choose(_random: np.random.Generator, free: Sequence[float], _connection: int) -> int:
        nonlocal turn
        turn = (turn + 1) % len(free)
        return turn

    return choose


def simulate(policy: Policy, workers: int, connections: int) -> tuple[float, float, float]:
    """Return how long calls wait at the median and at the 99th percentile, in service times, and
    the busiest worker's share of the mean.

    Calls come by chance (Poisson), each takes one unit of time of one worker, in order of arrival.
    """
    random = np.random.default_rng(SEED)
    arrivals = np.cumsum(random.exponential(1 / (LOAD * workers), ARRIVALS)).tolist()
    of = random.integers(connections, size=ARRIVALS).tolist()
    free = [0.0] * workers
    served = [0] * workers
    waits = []
    for arrival, connection in zip(arrivals, of, strict=True):
        worker = policy(random, free, connection)
        begin = max(arrival, free[worker])
        free[worker] = begin + 1
        served[worker] += 1
        waits.append(begin - arrival)
    median, late = np.percentile(waits, [50, 99])
    return float(median), float(late), max(served) / (ARRIVALS / workers)


def busiest(connections_per_worker: int, rounds: int = 200) -> float:
    """Return the busiest worker's connections as a multiple of the mean, when each falls by
    chance.
    """
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(
        connections_per_worker * WORKERS, np.full(WORKERS, 1 / WORKERS), size=rounds
    )
    return float(drawn.max(axis=1).mean()) / connections_per_worker


def rows(costs: Sequence[Cost]) -> list[str]:
    """Return what a million images a second take, by how many come in a call."""
    lines = [
        "| images per call | us per call | us per image | images/s per core | "
        f"cores for {GOAL:,}/s | Gbit/s as float32 | as bytes |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for cost in costs:
        gbits = [GOAL * size * 8 / 1e9 for size in IMAGE_BYTES.values()]
        lines.append(
            f"| {cost.images:,} | {cost.call_us:,.0f} | {cost.call_us / cost.images:.1f} | "
            f"{cost.images_per_second:,.0f} | {np.ceil(GOAL / cost.images_per_second):.0f} | "
            f"{gbits[0]:.1f} | {gbits[1]:.1f} |"
        )
    return lines


def balance() -> list[str]:
    """Return how even the load is."""
    lines = [
        "| connections per worker | busiest worker / mean | usable share of all workers |",
        "|--:|--:|--:|",
    ]
    for connections in CONNECTIONS_PER_WORKER:
        most = busiest(connections)
        lines.append(f"| {connections} | {most:.2f} | {1 / most:.0%} |")
    lines += ["", "| chosen by | median wait | p99 wait | busiest worker / mean |"]
    lines.append("|---|--:|--:|--:|")
    policies = {
        "the connection, 4 per worker": pinned,
        "random, each call": at_random,
        "the client, round robin": in_turns,
        "a proxy, the less busy of two": better_of_two,
    }
    for name, make in policies.items():
        connections = 4 * WORKERS
        median, late, most = simulate(make(WORKERS, connections), WORKERS, connections)
        lines.append(f"| {name} | {median:.1f} | {late:.1f} | {most:.2f} |")
    return lines


@click.command()
@click.option(
    "--cost",
    "costs",
    multiple=True,
    type=(int, float),
    metavar="IMAGES US",
    default=[(1, 50), (64, 330), (1024, 3600)],
    show_default=True,
    help="What a call of so many images was measured to cost; may be repeated.",
)
def main(costs: Sequence[tuple[int, float]]) -> None:
    """Print what costs add up to, and how even calls are spread, as tables for docs/scaling.md."""
    for line in (*rows([Cost(*cost) for cost in costs]), "", *balance()):
        click.echo(line)


if __name__ == "__main__":
    main()
