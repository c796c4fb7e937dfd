"""A quarter of an hour in a server's life, for the pictures: new versions, a rush, other images."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exporter import graph, mnist, network, publishing
from exporter.network import Batch, Layer, Network
from mlpserve import Client, MlpserveError

ROOT = Path(__file__).resolve().parent.parent.parent

MINUTES = 15
SECOND_VERSION, KILLED, RUSH, CALM, BROKEN_VERSION, OTHER_IMAGES = 3, 5, 7, 8.5, 9.5, 10.5
"""When things happen, in minutes."""

CALLERS, CALLS_PER_SECOND = 8, 20.0
"""A caller's calls come at random, so many per second."""

RUSHING = 24
OWN_CONNECTION = {"grpc.use_local_subchannel_pool": 1}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its process, and where gRPC and HTTP listen."""

    process: "subprocess.Popen[str]"
    grpc: str
    http: str


@contextlib.contextmanager
def serve(repository: Path) -> Iterator[Served]:
    """Run a server of the shipped network, with two workers, until the block ends."""
    export = [sys.executable, "-m", "exporter", "export", "--repository", str(repository)]
    subprocess.run(export, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    command = [
        *(sys.executable, "-m", "server", "--repository", str(repository), "--workers", "2"),
        *("--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"),
        *("--versions", "latest 2", "--labels", "before 1", "--shadow", "digits: before 20"),
        *("--max-queued-images", "6000", "--drain-delay-seconds", "0"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stderr is not None
    served: Served | None = None
    try:
        for line in process.stderr:
            said = json.loads(line)
            if said["event"] == "serving":
                served = Served(process, said["grpc"], said["http"])
                break
        if served is None:
            raise RuntimeError("the server ended before it served")
        # Otherwise it would wait for somebody to read its log.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield served
    finally:
        process.terminate()
        process.wait()


def play(served: Served, repository: Path) -> None:
    """Call the server and let things happen, until the quarter of an hour is over."""
    images, _ = mnist.load(ROOT / "tests" / "data", "test")
    begin = time.monotonic()
    over = threading.Event()
    threads = [
        threading.Thread(target=_call, args=(served.grpc, images, seed, begin, over))
        for seed in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    try:
        _wait(begin, SECOND_VERSION)
        _publish_disturbed(repository)
        _wait(begin, KILLED)
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _wait(begin, RUSH)
        _rush(served.grpc, images, begin)
        _wait(begin, BROKEN_VERSION)
        _spoil(repository)
        _wait(begin, MINUTES)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _wait(begin: float, minutes: float) -> None:
    time.sleep(max(0.0, begin + 60 * minutes - time.monotonic()))


def _call(address: str, images: Batch, seed: int, begin: float, over: threading.Event) -> None:
    """Make calls of a few images, now and then of many or of none."""
    chance = random.Random(seed)  # noqa: S311
    with Client(address, options=OWN_CONNECTION) as client:
        while not over.wait(chance.expovariate(CALLS_PER_SECOND)):
            n_images = chance.choice((1, 1, 1, 1, 2, 4, 8, 32, 128))
            first = chance.randrange(len(images) - n_images)
            sent = images[first : first + n_images]
            if time.monotonic() - begin > 60 * OTHER_IMAGES:
                # As from a scanner that somebody has set to be darker.
                sent = np.clip(sent * 1.8 + 0.1, 0, 1).astype(np.float32)
            with contextlib.suppress(MlpserveError):
                if chance.random() < 0.01:
                    client.predict(sent[:, :700])
                else:
                    client.predict(sent)


def _rush(address: str, images: Batch, begin: float) -> None:
    """Call as fast as it goes, on many connections, with large batches."""

    def call() -> None:
        with Client(address, options=OWN_CONNECTION, timeout_seconds=2) as client:
            while time.monotonic() - begin < 60 * CALM:
                with contextlib.suppress(MlpserveError):
                    client.predict(images[:1500])

    threads = [threading.Thread(target=call) for _ in range(RUSHING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _publish_disturbed(repository: Path) -> None:
    """Publish a network that is a little worse than the shipped one, as version 2."""
    saved = network.load(ROOT / "exporter" / "weights" / "digits.npz")
    generator = np.random.default_rng(0)
    layers = tuple(
        Layer(
            (layer.weights * generator.normal(1, 0.15, layer.weights.shape)).astype(np.float32),
            layer.biases,
            layer.activation,
        )
        for layer in saved.network.layers
    )
    model = graph.build(Network(layers, saved.network.labels))
    publishing.publish(model, repository, "digits", 2)


def _spoil(repository: Path) -> None:
    """Publish a file that is no model."""
    folder = repository / "digits" / "3"
    folder.mkdir()
    temporary = folder / "new"
    temporary.write_bytes(b"no model")
    temporary.rename(folder / "model.onnx")
