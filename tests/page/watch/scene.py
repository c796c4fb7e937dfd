"""A server that has something to show: two versions, two workers, both protocols, and some trouble.

A worker is killed and replaced, and for a while batches of many images rush in.
"""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np

from exporter import network as networks
from exporter.commands.common import WEIGHTS
from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training import mnist
from harness.calls import ask, infer_request, predict
from harness.server_process import ROOT, ServerProcess, start_server
from harness.waiting import running_threads
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest

CALLERS = 6
MEAN_PAUSE_SECONDS = 0.08
CALLS_A_CONNECTION = 40
OWN = [("grpc.use_local_subchannel_pool", 1)]
"""Connections are those of one caller, and not for long: so each worker gets its share of calls."""

KILLED, RUSH = 0.3, (0.55, 0.7)
"""When a worker is killed, and from when until when there is a rush, as shares of the time."""

RUSHING, RUSH_IMAGES, RUSH_PAUSE_SECONDS = 3, 400, 0.05
CANARY, PUBLIC, BAD, UNKNOWN = 0.2, 0.3, 0.02, 0.004
"""Shares of calls: of the canary, of the public protocol, of too few pixels, of unknown models."""

CANARY_NOISE = 0.15
"""Of the weights' own size: it reads some digits as another than stable does."""


def publish(repository: Path) -> None:
    """Publish the shipped network as version 1 of digits, and one that is a little worse as 2."""
    saved = networks.load(WEIGHTS)
    generator = np.random.default_rng(2)
    layers = tuple(
        replace(
            layer,
            weights=layer.weights
            + CANARY_NOISE
            * layer.weights.std()
            * generator.standard_normal(layer.weights.shape, np.float32),
        )
        for layer in saved.network.layers
    )
    other = replace(saved, network=replace(saved.network, layers=layers))
    for version, each in enumerate((saved, other), start=1):
        publishing.publish(graph.build_saved(each), repository, "digits", version)


@contextlib.contextmanager
def loaded(repository: Path, seconds: float) -> Iterator[tuple[ServerProcess, Callable[[], None]]]:
    """Serve and load them until the block ends; the function that comes with the server returns
    when all of so many seconds has happened, and the load goes on.
    """
    publish(repository)
    images = mnist.load(ROOT / "tests" / "data", "test")[0]
    numbers = iter(range(CALLERS + RUSHING))
    ended = threading.Event()
    settings = ("--versions", "latest 2", "--labels", "digits: stable 1, canary 2")
    with start_server(repository, "--workers", "2", *settings) as server:
        begin = time.monotonic()

        def share() -> float:
            return (time.monotonic() - begin) / seconds

        def work() -> None:
            number = next(numbers)
            generator = np.random.default_rng(number)
            while not ended.is_set():
                with grpc.insecure_channel(server.grpc_address, options=OWN) as channel:
                    for _ in range(CALLS_A_CONNECTION):
                        if number < CALLERS:
                            pause = call(channel, generator, images, share())
                        else:
                            pause = rush(channel, images, share())
                        if ended.wait(pause):
                            break

        def happen() -> None:
            ended.wait(KILLED * seconds)
            os.kill(server.workers[0], signal.SIGKILL)
            ended.wait(begin + seconds - time.monotonic())

        with running_threads(CALLERS + RUSHING, work):
            try:
                yield server, happen
            finally:
                ended.set()


def call(
    channel: grpc.Channel, generator: np.random.Generator, images: Batch, share: float
) -> float:
    """Call once, and return how many seconds later to call again: the load comes in waves."""
    image = images[generator.integers(len(images))]
    version = "canary" if generator.random() < CANARY else "stable"
    request = PredictRequest(model="digits", label=version, pixels=image)
    chance = generator.random()
    # Of a worker that has been killed, and what is wrong with the call.
    with contextlib.suppress(grpc.RpcError):
        if chance < BAD:
            predict(channel, PredictRequest(model="digits", label=version, pixels=image[:28]))
        elif chance < BAD + UNKNOWN:
            predict(channel, PredictRequest(model="letters", pixels=image))
        elif chance < BAD + UNKNOWN + PUBLIC:
            numbered = "2" if version == "canary" else "1"
            inferred = infer_request(image[None], model="digits", version=numbered)
            ask(channel, "ModelInfer", inferred, protocol.ModelInferResponse)
        else:
            predict(channel, request)
    wave = 1 + 0.5 * math.sin(6 * math.pi * share)
    return float(generator.exponential(MEAN_PAUSE_SECONDS)) / wave


def rush(channel: grpc.Channel, images: Batch, share: float) -> float:
    """Send a large batch while there is a rush; returns as `call` does."""
    if RUSH[0] < share < RUSH[1]:
        batch = images[:RUSH_IMAGES].ravel()
        with contextlib.suppress(grpc.RpcError):
            predict(channel, PredictRequest(model="digits", label="stable", pixels=batch))
    return RUSH_PAUSE_SECONDS
