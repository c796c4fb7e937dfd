"""Prints what each step of a one-image call costs in Python, without gRPC's own work."""

import gc
import timeit
from collections.abc import Callable
from pathlib import Path

import click
import grpc
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.load import request
from server import prediction
from server.batching import Batcher, Job
from server.logs import configure_logs
from server.model import load_model
from server.repository import Models, Versions
from server.request import Request
from server.rpc import classifier
from server.rpc.instrumentation import Method

TOGETHER = 32
"""Calls that meet, about as many as do at 64 in flight."""

REPEATS = 15


class Call:
    """A call without gRPC."""

    deadline = float("inf")
    cancelled = False
    metadata: tuple[tuple[str, str | bytes], ...] = ()

    def __init__(self, message: bytes) -> None:
        self.message = message

    def read(self) -> Request:
        """Return what the message asks for."""
        return classifier.read_request(self.message)

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
    message = request(1)
    call, one = Call(message), classifier.read_request(message)
    batcher = Batcher(4096, 16384, 64 * 1024 * 1024)
    batcher.models = Models({"digits": Versions({1: model}, {}, model)}, "digits")
    method = Method("unary", "benchmark", "Predict")
    requests, sizes = [one] * TOGETHER, [1] * TOGETHER
    (answer, *_) = prediction.run(model, requests, sizes)
    batch = np.zeros((TOGETHER, model.n_pixels), np.float32)
    jobs = [Job(call, one, 1)] * TOGETHER

    def queue() -> None:
        line = batcher._queue(model, jobs)
        assert line is not None
        batcher._next(line)
        batcher._next(line)

    steps = {
        "read the message": microseconds(lambda: classifier.read_request(message)),
        "find the model, count the images": microseconds(
            lambda: (batcher.models.find("", 0), one.count_images(model, 4096))  # type: ignore[union-attr]
        ),
        "queue and take": microseconds(queue, TOGETHER),
        "join, check, run, split": microseconds(
            lambda: prediction.run(model, requests, sizes), TOGETHER
        ),
        "   of it ONNX Runtime": microseconds(lambda: model.predict(batch), TOGETHER),
        "write the response": microseconds(lambda: one.write(answer)),  # type: ignore[arg-type]
        "count and time the call": microseconds(
            lambda: method.end(method.start(), grpc.StatusCode.OK)
        ),
        "all but the last": microseconds(lambda: batcher.take([call] * TOGETHER), TOGETHER),
    }
    table = Table("step", "us a call")
    table.columns[1].justify = "right"
    for name, cost in steps.items():
        table.add_row(name, f"{cost:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
