"""Prints what the steps of a run with one large call cost, and slices of other sizes."""

import os

# As in a worker; before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from harness.forms import PREDICT_FLOATS
from harness.load import print_table
from modelfile.input_range import PIXELS
from server.logs.setup import configure_logs
from server.models.model import Batch, Model, load_model
from server.rpc import classifier
from server.running import pixels
from server.running import run as prediction
from server.running.request import Request
from server.system import memory

IMAGES, SLICES = (64, 256, 1024), (32, 64, 128, 256, 512)


@dataclass(slots=True, eq=False)
class Part:
    """A call of the run."""

    request: Request
    pixels: memoryview
    size: int


def part(message: bytes, images: int, shift: int) -> Part:
    """Return a call whose pixels have just arrived, `shift` bytes after a multiple of four."""
    request, content, *_ = classifier.read_request(message)
    arrived = memoryview(b"".join((bytes(shift), content)))[shift:]
    return Part(request, arrived, images)


def microseconds(
    steps: Mapping[str, Callable[[Part], object]], make: Callable[[], Part], repeats: int
) -> dict[str, float]:
    """Return the least CPU time of each step, taken in turns."""
    costs: dict[str, float] = dict.fromkeys(steps, float("inf"))
    for _ in range(repeats):
        for name, step in steps.items():
            arrived = make()
            begin = time.thread_time()
            step(arrived)
            costs[name] = min(costs[name], time.thread_time() - begin)
    return {name: 1e6 * cost for name, cost in costs.items()}


def sliced(model: Model, batch: Batch, size: int) -> None:
    """Check, sum and run a batch in slices of some size."""
    for begin in range(0, len(batch), size):
        images = batch[begin : begin + size]
        pixels.ink_of(images, pixels.are_valid(images, PIXELS))
        model.predict(images)


def costs(model: Model, images: int, repeats: int) -> dict[str, float]:
    """Return what each step costs for a call of so many images."""
    message = PREDICT_FLOATS.write(images)
    place = np.empty((images, model.n_pixels), np.float32)

    def batch_of(arrived: Part) -> Batch:
        return np.frombuffer(arrived.pixels, np.float32).reshape(arrived.size, -1)

    def in_slices(size: int) -> Callable[[Part], object]:
        return lambda arrived: sliced(model, batch_of(arrived), size)

    steps: dict[str, Callable[[Part], object]] = {
        "copy to where floats are aligned": lambda arrived: pixels.copy(batch_of(arrived), place),
        "check": lambda arrived: pixels.are_valid(batch_of(arrived), PIXELS),
        "sum of ink, as a product with ones": lambda arrived: pixels.ink_of(
            batch_of(arrived), True
        ),
        "   by einsum": lambda arrived: np.einsum("ij->i", batch_of(arrived)),
        "ONNX Runtime": lambda arrived: model.predict(batch_of(arrived)),
        "all of a run, aligned": lambda arrived: prediction.run(model, [arrived]),
    }
    steps |= {f"   in slices of {size}": in_slices(size) for size in SLICES}
    found = microseconds(steps, lambda: part(message, images, 0), repeats)
    run = {"all of a run, not aligned": lambda arrived: prediction.run(model, [arrived])}
    return found | microseconds(run, lambda: part(message, images, 1), repeats)


@click.command()
@click.argument("model_file", type=click.Path(path_type=Path, exists=True))
@click.option("--repeats", default=200, show_default=True, type=click.IntRange(min=1))
def main(model_file: Path, repeats: int) -> None:
    """Print the CPU microseconds of each step for calls of 64, 256 and 1,024 float images."""
    configure_logs("warning", "auto")
    memory.freeze()
    model = load_model(model_file, "digits", 1)
    columns = [costs(model, images, repeats) for images in IMAGES]
    rows = [(name, *(f"{column[name]:,.0f}" for column in columns)) for name in columns[0]]
    print_table(("CPU us a call", *(f"{images:,} images" for images in IMAGES)), rows)


if __name__ == "__main__":
    main()
