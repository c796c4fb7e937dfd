"""Requests that are ready to be sent: written once, ahead of time, and sent many times."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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

_ORDER = 65_536
"""Calls after which a process's requests come in the same order again."""

_STREAM = 1
"""Tells these random numbers from those of arrivals."""

_IMAGES_PER_QUESTION = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A serialized request of `images` images.

    `labels` are what its answer should say and None when that is not checked.
    """

    message: bytes
    images: int
    labels: Labels | None = None


def random_images(n_inputs: int) -> npt.NDArray[np.uint8]:
    """Return images (N, n_inputs) of random levels, always the same, for whoever has none."""
    return np.random.default_rng(0).integers(0, 256, (256, n_inputs), np.uint8)


def as_form(images: npt.NDArray[Any], form: Form, n_inputs: int) -> Images:
    """Return images (N, ...) as they are sent: (N, n_inputs) float32, or uint8.

    Levels from 0 to 255 become numbers in [0, 1] and the other way round. Raises InvalidRequest
    when the images have another size, are not numbers, or don't fit into bytes.
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
        return flat if form is Form.BYTES else (flat / np.float32(255)).astype(np.float32)
    if flat.dtype.kind not in "fiub":
        raise InvalidRequest(f"images: they are of type {flat.dtype}; give floats or uint8")
    if form is Form.FLOATS:
        return flat.astype(np.float32)
    if not ((flat >= 0) & (flat <= 1)).all():
        raise InvalidRequest(
            "images: some numbers are outside of [0, 1] and can't be sent as bytes; send floats"
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


def make_requests(
    plan: Plan, target: Target, images: Images, labels: Labels | None, process: int
) -> Iterator[Request]:
    """Return the requests of a process without end, of each size as often as the plan's batch says.

    They are written now and come again and again; threads may take them at once. The images in each
    follow each other from a random one on.
    """
    random = np.random.default_rng((plan.seed, process, _STREAM))
    budget = MAX_BYTES // len(plan.batch)
    requests, shares = [], []
    for n_images, weight in plan.batch:
        count = max(1, min(MAX_REQUESTS, budget // (n_images * images[0].nbytes)))
        for first in random.integers(0, len(images), count):
            chosen = (first + np.arange(n_images)) % len(images)
            expected = None if labels is None else labels[chosen]
            requests.append(Request(target.encode(images[chosen]), n_images, expected))
            shares.append(weight / count)
    order = random.choice(len(requests), _ORDER, p=np.array(shares) / sum(shares))
    return itertools.cycle([requests[index] for index in order])
