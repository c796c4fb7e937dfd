"""Requests that are ready to be sent: written once, ahead of time, and sent many times."""

from dataclasses import dataclass

import grpc
import numpy as np
import numpy.typing as npt

from mlpserve.bench.load.target import Images, Labels, Target, ask
from mlpserve.bench.result import Form, Plan
from mlpserve.connection.settings import Settings
from mlpserve.errors import InvalidRequest

MAX_BYTES = 64 * 1024 * 1024
MAX_REQUESTS = 1024
"""What the ready requests of a process may fill, and how many it has at most of each size."""

_IMAGES_PER_QUESTION = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A serialized request of `images` images.

    `labels` are what its answer should say and None when that is not checked.
    """

    message: bytes
    images: int
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """Requests, and how often each is sent beside the others."""

    requests: tuple[Request, ...]
    weights: npt.NDArray[np.float64]


def random_images(n_inputs: int, seed: int) -> npt.NDArray[np.uint8]:
    """Return images (N, n_inputs) of random levels, for whoever has none."""
    return np.random.default_rng(seed).integers(0, 256, (256, n_inputs), np.uint8)


def as_form(images: npt.NDArray[np.generic], form: Form, n_inputs: int) -> Images:
    """Return images (N, ...) as they are sent: (N, n_inputs) float32, or uint8.

    Levels from 0 to 255 become numbers in [0, 1] and the other way round. Raises InvalidRequest
    when the images have another size, are no numbers, or don't fit into bytes.
    """
    if images.ndim < 2 or not len(images):
        raise InvalidRequest(f"images: the shape is {images.shape}; give a batch (N, {n_inputs})")
    flat = images.reshape(len(images), -1)
    if flat.shape[1] != n_inputs:
        raise InvalidRequest(
            f"images: each has {flat.shape[1]} numbers and the model takes {n_inputs}; give images "
            "of the model's size"
        )
    if flat.dtype == np.uint8:
        return flat if form is Form.BYTES else (flat / 255).astype(np.float32)
    if flat.dtype.kind not in "fiub":
        raise InvalidRequest(f"images: they are of type {flat.dtype}; give floats or uint8")
    if form is Form.FLOATS:
        return flat.astype(np.float32)
    if not ((flat >= 0) & (flat <= 1)).all():
        raise InvalidRequest(
            "images: some numbers are outside of [0, 1] and can't travel as bytes; send floats"
        )
    return np.rint(255 * flat.astype(np.float64)).astype(np.uint8)


def ask_labels(
    target: Target, settings: Settings, channel: grpc.Channel, images: Images
) -> tuple[Labels, int]:
    """Return what the server says of each image (N,), and how many calls that took; raises
    MlpserveError.
    """
    labels = []
    for first in range(0, len(images), _IMAGES_PER_QUESTION):
        message = target.encode(images[first : first + _IMAGES_PER_QUESTION])
        labels.append(target.read_labels(ask(target, settings, channel, message)))
    return np.concatenate(labels), len(labels)


def make_pool(plan: Plan, target: Target, images: Images, labels: Labels | None) -> Pool:
    """Write requests of each size in the plan's batch.

    Their images follow each other from a random one on, over and over.
    """
    random = np.random.default_rng(plan.seed)
    budget = MAX_BYTES // len(plan.batch)
    requests, weights = [], []
    for n_images, weight in plan.batch:
        image_bytes = max(1, n_images * images[0].nbytes)
        count = max(1, min(MAX_REQUESTS, budget // image_bytes))
        for first in random.integers(0, len(images), count):
            chosen = (first + np.arange(n_images)) % len(images)
            requests.append(
                Request(
                    target.encode(images[chosen]),
                    n_images,
                    None if labels is None else labels[chosen],
                )
            )
            weights.append(weight / count)
    return Pool(tuple(requests), np.array(weights))
