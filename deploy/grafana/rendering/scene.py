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

from exporter import network
from exporter.export import graph, publishing
from exporter.network.network import Batch, Layer, Network
from exporter.training import mnist, reference
from mlpserve import Client, MlpserveError, Tls

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = ROOT / "exporter" / "weights" / "digits.npz"

MINUTES = 15
SECOND_VERSION, KILLED, BROKEN_VERSION, OTHER_IMAGES, RELOAD = 3, 5, 9.5, 10.5, 12
RUSH, CALM = 7, 8.5
"""When things happen, in minutes."""

CALLERS, CALLS_PER_SECOND = 8, 20.0
"""A caller's calls come at random, so many per second."""

RUSHING = 24
TOKENS = {"page": "0123456789abcdef-page", "nightly": "0123456789abcdef-nightly"}
"""Callers' tokens by their names; those who rush have the second."""

OWN_CONNECTION = {"grpc.use_local_subchannel_pool": 1}


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: its process, where gRPC and HTTP listen, its models and certificate."""

    process: "subprocess.Popen[str]"
    grpc: str
    http: str
    models: Path
    certificate: Path

    def connect(self, name: str) -> Client:
        """Return a client with the token of that name and a connection of its own."""
        tls, token = Tls(ca=self.certificate), TOKENS[name]
        return Client(self.grpc, timeout_seconds=2, options=OWN_CONNECTION, tls=tls, token=token)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Run a server of the shipped network, with two workers, until the block ends."""
    models, certificate, tokens = folder / "models", folder / "tls.pem", folder / "tokens"
    _publish_shipped(models)
    key = _certify(certificate)
    tokens.write_text("".join(f"{name}: {token}\n" for name, token in TOKENS.items()))
    tokens.chmod(0o600)
    command = [
        *(sys.executable, "-m", "server", "--repository", str(models), "--workers", "2"),
        *("--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"),
        *("--versions", "latest 2", "--labels", "before 1", "--shadow", "digits: before 20"),
        *("--max-queued-images", "6000", "--drain-delay-seconds", "0"),
        *("--tls-certificate", str(certificate), "--tls-key", str(key)),
        *("--tokens-file", str(tokens)),
    ]
    started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)  # noqa: S603
    with started as process:
        try:
            addresses = _addresses(process)
            yield Served(process, *addresses, models, certificate)
        finally:
            process.terminate()
            process.wait()


def _addresses(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait until the server says where gRPC and HTTP listen, and read on what it says."""
    assert process.stderr is not None
    for line in process.stderr:
        entry = json.loads(line)
        if entry["event"] == "serving":
            # Otherwise it would wait for somebody to read its log.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return entry["grpc"], entry["http"]
    raise RuntimeError("the server ended before it served")


def play(served: Served) -> None:
    """Call the server and let things happen, until the quarter of an hour is over."""
    images = _images()
    begin = time.monotonic()
    over = threading.Event()
    threads = [
        threading.Thread(target=_call, args=(served, images, seed, begin, over))
        for seed in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    try:
        _wait(begin, SECOND_VERSION)
        _publish_worse(served.models)
        _wait(begin, KILLED)
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _wait(begin, RUSH)
        _rush(served, images, begin)
        _wait(begin, BROKEN_VERSION)
        _spoil(served.models)
        _wait(begin, RELOAD)
        served.process.send_signal(signal.SIGHUP)
        _wait(begin, MINUTES)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _wait(begin: float, minutes: float) -> None:
    time.sleep(max(0.0, begin + 60 * minutes - time.monotonic()))


def _call(served: Served, images: Batch, seed: int, begin: float, over: threading.Event) -> None:
    """Make calls of a few images, now and then of many or of none."""
    chance = random.Random(seed)  # noqa: S311
    with served.connect("page") as client:
        while not over.wait(chance.expovariate(CALLS_PER_SECOND)):
            n_images = chance.choice((1, 1, 1, 1, 2, 4, 8, 32, 128))
            first = chance.randrange(len(images) - n_images)
            sent = images[first : first + n_images]
            if time.monotonic() - begin > 60 * OTHER_IMAGES:
                # As from a scanner that somebody has set to be brighter.
                sent = np.clip(sent * 1.8 + 0.1, 0, 1).astype(np.float32)
            with contextlib.suppress(MlpserveError):
                if chance.random() < 0.01:
                    client.predict(sent[:, :700])
                else:
                    client.predict(sent)


def _rush(served: Served, images: Batch, begin: float) -> None:
    """Call as fast as it goes, on many connections, with large batches."""

    def call() -> None:
        with served.connect("nightly") as client:
            while time.monotonic() - begin < 60 * CALM:
                with contextlib.suppress(MlpserveError):
                    client.predict(images[:1500])

    threads = [threading.Thread(target=call) for _ in range(RUSHING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _certify(certificate: Path) -> Path:
    """Make a certificate for this machine that is its own authority; returns its key."""
    key = certificate.with_suffix(".key")
    files = ["-keyout", str(key), "-out", str(certificate)]
    made = ["-newkey", "rsa:2048", "-nodes", *files, "-days", "90"]
    named = ["-subj", "/CN=mlpserve", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *made, *named]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    key.chmod(0o600)
    return key


def _images() -> Batch:
    images, _ = mnist.load(ROOT / "tests" / "data", "test")
    return images


def _publish_shipped(models: Path) -> None:
    saved = network.load(WEIGHTS)
    model = graph.build(saved.network, examples=saved.examples, reference=saved.reference)
    publishing.publish(model, models, "digits", 1)


def _publish_worse(models: Path) -> None:
    """Publish a network that is a little worse than the shipped one."""
    shipped = network.load(WEIGHTS).network
    generator = np.random.default_rng(0)
    layers = tuple(
        Layer(
            (layer.weights * generator.normal(1, 0.15, layer.weights.shape)).astype(np.float32),
            layer.biases,
            layer.activation,
        )
        for layer in shipped.layers
    )
    worse = Network(layers, shipped.labels)
    # MNIST's training images may not be at hand; its test images look like them.
    model = graph.build(worse, reference=reference.measure(worse, _images()))
    publishing.publish(model, models, "digits", 2)


def _spoil(repository: Path) -> None:
    """Publish a file that is no model."""
    folder = repository / "digits" / "3"
    folder.mkdir()
    temporary = folder / "new"
    temporary.write_bytes(b"no model")
    temporary.rename(folder / "model.onnx")
