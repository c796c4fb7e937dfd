"""Callers that ask a server again and again, and what became of their calls."""

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.waiting import running_threads, wait_for
from mlpserve import Client, MlpserveError

BLACK = np.zeros(784, np.uint8)
OWN_CONNECTION = {"grpc.use_local_subchannel_pool": 1}
"""Without it, clients of one process share a connection."""

OPTIONS = OWN_CONNECTION | {"grpc.enable_retries": 0}
"""What fails must show, and each client have a connection of its own."""


@dataclass(slots=True)
class Counts:
    """Calls by what became of them."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Calls that neither were answered nor failed."""
        return self.sent - self.answered - len(self.failed)

    def go_on(self, calls: int) -> None:
        """Wait until as many more calls have been answered, or one has failed."""
        enough = self.answered + calls
        wait_for(lambda: self.answered >= enough or bool(self.failed))

    def check(self) -> None:
        """Fail unless each call sent has its right answer."""
        assert (self.failed, self.lost, self.wrong) == ([], 0, 0)
        assert self.sent == self.answered > 0


def ask_black(client: Client) -> bool:
    """Ask for the label of a black image, whatever it is."""
    return len(client.predict(BLACK, timeout_seconds=30)) == 1


@contextlib.contextmanager
def calling(
    connect: Callable[[], Client],
    ask: Callable[[Client], bool] = ask_black,
    callers: int = 3,
    *,
    calls_per_connection: int = 3,
    pause_seconds: float = 0.01,
) -> Iterator[Counts]:
    """Call until the block ends, with a new client for every few calls of each caller.

    `ask` makes a call and returns whether the answer is right. The pause before each call leaves
    some of a small machine to the servers.
    """
    counts, lock, over = Counts(), threading.Lock(), threading.Event()

    def call(client: Client) -> None:
        with lock:
            counts.sent += 1
        try:
            is_right = ask(client)
        except MlpserveError as error:
            with lock:
                counts.failed.append(str(error))
        else:
            with lock:
                counts.answered += 1
                counts.wrong += not is_right

    def run() -> None:
        while not over.is_set():
            with connect() as client:
                for _ in range(calls_per_connection):
                    if over.wait(pause_seconds):
                        break
                    call(client)

    with running_threads(callers, run):
        try:
            yield counts
        finally:
            over.set()


def load(
    address: str,
    digits: tuple[Batch, Labels],
    connections: int,
    *,
    reconnect: bool = False,
    retries: bool = True,
    pause_seconds: float = 0.01,
) -> contextlib.AbstractContextManager[Counts]:
    """Ask for ten digits in turn until the block ends; `reconnect` makes a connection each time."""
    options = OWN_CONNECTION | {"grpc.enable_retries": int(retries)}
    images, turns = digits[0][:10], itertools.count()
    with Client(address) as client:
        expected = client.predict(images).labels

    def ask(client: Client) -> bool:
        turn = next(turns) % len(images)
        return bool(client.predict(images[turn]).labels[0] == expected[turn])

    return calling(
        lambda: Client(address, options=options),
        ask,
        connections,
        calls_per_connection=1 if reconnect else sys.maxsize,
        pause_seconds=pause_seconds,
    )
