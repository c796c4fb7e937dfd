"""A small training on made-up images, the same every time: imported, or run to be stopped."""

import signal
import sys
from pathlib import Path

import numpy as np

from exporter.network.network import Batch
from exporter.training import training
from exporter.training.backpropagation import Array
from exporter.training.checkpoints import State
from exporter.training.mnist import Labels
from exporter.training.options import TrainingOptions

SIDE = 8

OPTIONS = TrainingOptions(
    hidden_sizes=(6, 5), epochs=200, batch_size=16, rate=0.02, n_validation=60, seed=3
)


def stripes(n_images: int = 300) -> tuple[Batch, Labels]:
    """Noisy images of one bright row, whose place is the class: 0, 1 or 2."""
    random = np.random.default_rng(7)
    labels = random.integers(0, 3, n_images)
    images = random.uniform(0, 0.3, (n_images, SIDE, SIDE))
    images[np.arange(n_images), 1 + 2 * labels] += 0.6
    return images.reshape(n_images, -1).astype(np.float32), labels


def pause_after(epoch: int) -> None:
    """Make training stop in the middle of the epoch after this one, and say that it has."""
    n_images = len(stripes()[0]) - OPTIONS.n_validation
    last = epoch * (n_images // OPTIONS.batch_size) + 4
    real = training.step

    def step(
        state: State,
        gradients: list[Array],
        number: int,
        scheduled: float,
        options: TrainingOptions,
    ) -> None:
        real(state, gradients, number, scheduled, options)
        if number == last:
            print("paused", flush=True)
            signal.pause()

    training.step = step


if __name__ == "__main__":
    # Whoever started the tests may ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pause_after(int(sys.argv[2]))
    training.train(*stripes(), OPTIONS, checkpoint=Path(sys.argv[1]))
