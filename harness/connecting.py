"""Callers that connect anew for every few calls, and what became of their calls."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.waiting import wait_for
from mlpserve import Client, MlpserveError

BLACK = np.zeros(784, np.uint8)
CALLS_PER_CONNECTION = 3
PAUSE_SECONDS = 0.01
OPTIONS = {
    # What fails must show, and each client have a connection of its own.
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
}


@dataclass(slots=True)
class Counts:
    """Calls by what became of them."""

    sent: int = 0
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.sent - self.answered - len(self.failed)

    def wait_for_more(self, calls: int) -> None:
        """Return when as many more calls have been answered, or one has failed."""
        enough = self.answered + calls
        wait_for(lambda: self.answered >= enough or bool(self.failed))


@contextlib.contextmanager
def load(connect: Callable[[], Client], callers: int = 3) -> Iterator[Counts]:
    """Call with clients, a new one for every few calls, until the block ends."""
    counts, lock, stop = Counts(), threading.Lock(), threading.Event()

    def call(client: Client) -> None:
        with lock:
            counts.sent += 1
        try:
            client.predict(BLACK, timeout_seconds=30)
        except MlpserveError as error:
            with lock:
                counts.failed.append(str(error))
        else:
            with lock:
                counts.answered += 1

    def run() -> None:
        # The pause leaves some of a small machine to the server.
        while not stop.wait(PAUSE_SECONDS):
            with connect() as client:
                for _ in range(CALLS_PER_CONNECTION):
                    call(client)

    threads = [threading.Thread(target=run) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in threads:
            thread.join()
