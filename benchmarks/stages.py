"""Prints what each step of a one-image call costs in Python, without gRPC's own work."""

import gc
import timeit
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

from harness.forms import PREDICT_FLOATS
from harness.load import print_table
from server.logs.setup import configure_logs
from server.models.model import load_model
from server.models.repository import Models, Versions
from server.models.served import Served
from server.rpc import classifier
from server.running import run as prediction
from server.running.batcher import Batcher
from server.running.request import Request
from server.telemetry.calls import METHODS
from server.telemetry.record import Record
from server.telemetry.recording import Recording
from server.telemetry.version_stats import VERSIONS

TOGETHER = 32
"""Calls that meet, about as many as do at 64 in flight."""

REPEATS = 15


class FakeCall:
    """A call without gRPC."""

    deadline = float("inf")
    cancelled = ended = False
    held_bytes = 0
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    request: Request
    pixels: memoryview
    identifier: bytes
    size = 1
    begin = waiting_since = 0.0
    record: Record | None = None

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.read = classifier.read_request
        self.request, self.pixels, self.identifier = self.read(message)

    def answer(self, response: bytes) -> None:
        """Drop the response."""

    def refuse(self, error: Exception) -> None:
        """Stop, since no call is refused here."""
        raise error


def microseconds(step: Callable[[], object], calls: int = 1) -> float:
    """Return the least time that a step takes, divided by the calls that it serves."""
    runs = max(200, 5000 // calls)
    return min(timeit.repeat(step, number=runs, repeat=REPEATS)) / runs / calls * 1e6


@click.command()
@click.argument("model_file", type=click.Path(path_type=Path, exists=True))
def main(model_file: Path) -> None:
    """Print the microseconds of each step for a call to MODEL_FILE, when 32 calls run together."""
    configure_logs("warning", "auto")
    gc.disable()
    model = load_model(model_file, "digits", 1)
    message = PREDICT_FLOATS.write(1)
    classifier.read_request(message)
    calls = [FakeCall(message) for _ in range(TOGETHER)]
    served = Served(Models({"digits": Versions({1: model}, {}, model)}, "digits"))
    batcher = Batcher(4096, 16384, 64 * 1024 * 1024, 128 * 1024 * 1024, served)
    method = METHODS.calls("unary", "benchmark", "Predict")
    recorder = Recording(0, 0).recorder("/benchmark/Predict", method.exemplars)
    metadata = (("user-agent", "benchmark"),)
    counts = VERSIONS.stats(model)
    run = prediction.run(model, calls)
    batch = np.zeros((TOGETHER, model.n_pixels), np.float32)

    def take() -> None:
        # The batcher lets go of messages.
        for call in calls:
            call.message = message
        batcher.take(calls)

    def count_run() -> None:
        counts.count_run(TOGETHER, TOGETHER)
        counts.predictions.count_run(calls, TOGETHER, TOGETHER, (0.1, 0.2, 0.3))

    steps = {
        "read the message, find the model": microseconds(
            lambda: batcher._read(calls, False), TOGETHER
        ),
        "join, check, run": microseconds(lambda: prediction.run(model, calls), TOGETHER),
        "   of it ONNX Runtime": microseconds(lambda: model.predict(batch), TOGETHER),
        "write the response": microseconds(lambda: prediction.write(calls, run), TOGETHER),
        "count and time the run": microseconds(count_run, TOGETHER),
        "look at images and answers": microseconds(
            lambda: counts.observe(run.ink, run.layers[0], run.labels), TOGETHER
        ),
        "all of that": microseconds(take, TOGETHER),
        "count and time the call": microseconds(lambda: method.end(method.start(), "OK", 1, 1)),
        "decide not to write it down": microseconds(lambda: recorder.begin(0.0, metadata)),
    }
    print_table(("step", "us a call"), [(name, f"{cost:.2f}") for name, cost in steps.items()])


if __name__ == "__main__":
    main()
