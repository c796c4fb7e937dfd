"""What is known of a tensor in a graph: its numbers, or how the network computes it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import onnx

from exporter.importing.source import Array, SourceLayer
from exporter.network.weights_file import WeightsError

MAX_SHOWN = 80
"""Characters of a name that are shown; a file may hold names of any length."""

ONE, ZERO = np.ones(()), np.zeros(())


class NoLayerError(WeightsError):
    """A node of the graph is not part of a multilayer perceptron."""


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Numbers or texts that are the same for all images, and what the file calls them."""

    name: str
    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class FoundLayer:
    """A layer with float64 weights (n_out, n_in) and biases, and what it does to their sum.

    `terms` (n_out,) are the sizes of what was added up to its biases: how far rounding may reach.
    """

    source: SourceLayer
    activation: str
    terms: Array


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """A tensor (batch, *shape) that depends on the images: scale * (matrix @ h) + shift.

    Here h are the activations of the last of `layers`, or the inputs when there are none. Without a
    matrix they are taken in `order`, or as they are. `scale` and `shift` are one number each or one
    for each element of `shape`, flattened. `terms` are the sizes of what was added up to `shift`.
    `start` is what was done to the inputs before the first matrix: a factor, and what was added.
    `log` tells that this is the logarithm of what is described. `before` is the tensor that this
    one was computed from, `depth` how many there are.
    """

    name: str
    batch: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    before: "Flow | None" = None
    depth: int = 0
    layers: tuple[FoundLayer, ...] = ()
    matrix: Array | None = None
    order: Array | None = None
    scale: Array = field(default_factory=ONE.copy)
    shift: Array = field(default_factory=ZERO.copy)
    terms: Array = field(default_factory=ZERO.copy)
    weights_name: str = ""
    biases_name: str = ""
    start: tuple[Array, Array] | None = None
    takes_bytes: bool = False
    log: bool = False
    epsilon: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it holds for each image."""
        return int(np.prod(self.shape, dtype=np.float64))

    @property
    def is_plain(self) -> bool:
        """Whether nothing was done yet to the activations of the layer before."""
        return (
            self.matrix is None
            and self.order is None
            and bool(np.all(self.scale == 1))
            and not np.any(self.shift)
        )

    def path(self) -> Iterator["Flow"]:
        """Yield this tensor and those that it was computed from."""
        flow: Flow | None = self
        while flow is not None:
            yield flow
            flow = flow.before

    def weights(self) -> Array:
        """Return scale * matrix: (size, number of h)."""
        matrix = self.matrix if self.matrix is not None else np.eye(self.size)
        return np.asarray(self.scale.reshape(-1, 1) * matrix)

    def full(self, numbers: Array) -> Array:
        """Return one number for each element, from one for all or each."""
        return np.broadcast_to(numbers, (self.size,)).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A label, or another thing that is read off the tensor `source` and ends the network.

    What its nodes make of the tensor `root`, for images of each class in turn, are the labels when
    `values`, (classes, ...), stand there; `labels` are those that the file says directly. Unless it
    `chooses` between classes it is a part of the outputs, or a map of them.
    """

    source: Flow
    root: str
    values: Array
    labels: tuple[str, ...] | None = None
    chooses: bool = False


Value = Constant | Flow | Derived


def shown(name: str) -> str:
    """Return a name of a file as it can be printed anywhere."""
    # Invalid Unicode is read as bytes, whatever the type says.
    text = str(name)
    cut = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in cut)


def describe(node: onnx.NodeProto) -> str:
    """Return what to call a node: its name, or what it gives, and its operator."""
    name = node.name or next(iter(node.output), "")
    domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
    return f"node '{shown(name)}' ({shown(domain + node.op_type)})"


def refuse(node: onnx.NodeProto, reason: str) -> NoReturn:
    """Raise NoLayerError with the node's name and operator, and why it is not a layer."""
    raise NoLayerError(f"{describe(node)} {reason}")


def follow(flow: Flow, node: onnx.NodeProto, **changes: Any) -> Flow:
    """Return the tensor that a node makes of another."""
    return replace(flow, name=node.output[0], before=flow, depth=flow.depth + 1, **changes)
