"""Calls over several connections, with the library's client, and their count."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.waiting import wait_for
from mlpserve import Client, MlpserveError

OWN_CONNECTION = {"grpc.use_local_subchannel_pool": 1}
"""Without it, clients of one process share a connection."""


@dataclass(slots=True)
class Counts:
    """What became of the calls of one connection."""

    sent: int = 0
    answered: int = 0
    wrong: int = 0
    failed: list[MlpserveError] = field(default_factory=list)


@dataclass(slots=True)
class Load:
    """All connections' counts."""

    each: list[Counts]
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def answered(self) -> int:
        """Calls that have their answer."""
        return sum(counts.answered for counts in self.each)

    def go_on(self, calls: int) -> None:
        """Wait for as many more answers."""
        wanted = self.answered + calls
        wait_for(lambda: self.answered >= wanted)

    def check(self) -> None:
        """Fail unless each call sent has its right answer."""
        assert [counts.failed for counts in self.each] == [[] for _ in self.each]
        assert sum(counts.wrong for counts in self.each) == 0
        assert sum(counts.sent for counts in self.each) == self.answered > 0


@contextlib.contextmanager
def load(
    address: str,
    digits: tuple[Batch, Labels],
    connections: int,
    *,
    reconnect: bool = False,
    retries: bool = True,
    pause_seconds: float = 0.01,
) -> Iterator[Load]:
    """Call until the block ends; with `reconnect` over a new connection each time.

    The pause after each call leaves some of a small machine to the servers.
    """
    options = OWN_CONNECTION | {"grpc.enable_retries": int(retries)}
    images, _ = digits
    with Client(address) as client:
        expected = client.predict(images[:10]).labels
    running = Load([Counts() for _ in range(connections)])

    def call(counts: Counts) -> None:
        client = Client(address, options=options)
        while not running.over.is_set():
            index = counts.sent % 10
            counts.sent += 1
            try:
                label = client.predict(images[index]).labels[0]
            except MlpserveError as error:
                counts.failed.append(error)
            else:
                counts.answered += 1
                counts.wrong += label != expected[index]
            time.sleep(pause_seconds)
            if reconnect:
                client.close()
                client = Client(address, options=options)
        client.close()

    threads = [threading.Thread(target=call, args=(counts,)) for counts in running.each]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.over.set()
        for thread in threads:
            thread.join()
