"""A small training on made-up images, the same every time: imported, or run to be interrupted."""

import sys
from pathlib import Path

import numpy as np

from exporter.network.network import Batch
from exporter.training import training
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


if __name__ == "__main__":
    images, labels = stripes()
    training.train(
        images,
        labels,
        OPTIONS,
        checkpoint=Path(sys.argv[1]),
        report=lambda epoch: print(epoch.number, flush=True),
    )
