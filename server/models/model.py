"""One loaded model: its ONNX Runtime session, checked against its golden examples."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modelfile.image_layout import ImageLayout
from modelfile.input_range import PIXELS, InputRange
from modelfile.layout import HIDDEN, INPUT, OUTPUT
from modelfile.metadata import weights_sha256
from modelfile.reference import Reference
from server.errors import Fault, ModelError
from server.models.onnx.file import Stamp, read_file, size_of
from server.models.onnx.graph import Layer, read_layers, read_model
from server.models.onnx.metadata import read_metadata
from server.models.onnx.overflow import may_overflow
from server.models.runtime import InferenceSession, open_session
from server.models.self_check import WARM_UP_SIZES, Runner, check, warm_up
from server.system import memory_limits
from server.texts import shown

Batch = npt.NDArray[np.float32]

LABELS = "labels"
"""An output that is not in the file but computed by the server: the index of the brightest."""

MAX_BYTES = 256 << 20
"""The default limit for a file: 67 million weights, a thousand times as many as networks for such
images have. Loading one takes three quarters of a GiB and some seconds.
"""

LOAD_SECONDS = 60.0
"""How long checks and warm-up may take together. A valid graph takes a fraction of that, unless its
numbers are denormal, with which processors are slow.
"""

MEMORY_FACTOR = 3.25
"""Peak memory while a file is loaded, in multiples of its size: itself, ONNX Runtime's copies, and
temporary ones.
"""

RUN_IMAGES = 512
"""Images whose activations count towards the memory that a model needs."""


MAX_NAMES_BYTES = 1024
"""Bytes of labels sent with each answer."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A network exported to ONNX, ready to run.

    `layer_sizes` counts the neurons of each layer from the input to the output, such as (784, 16,
    16, 10); `labels` names the classes; `golden_difference` is the largest difference found by the
    self-check; `run_seconds` is how long runs of one image and of 64 took at the warm-up;
    `reference` describes its training images; `input_range` is the range of its inputs, and
    `may_overflow` whether some of these may lead to infinite activations; `image_layout` is that of
    its training images, if they had one in common; `layers` are its weights, as views of the file,
    which stays in memory next to ONNX Runtime's copy; `doubt` says what is wrong with a file that
    is served nevertheless; `stamp` is the file's before it was read; `label_names` are the labels
    as JSON, for answers that hold their indices, empty when they are the indices or longer than
    `MAX_NAMES_BYTES`.
    """

    name: str
    version: int
    labels: tuple[str, ...]
    layer_sizes: tuple[int, ...]
    parameters: int
    weights_sha256: str
    golden_difference: float
    load_seconds: float
    run_seconds: tuple[float, float]
    reference: Reference
    input_range: InputRange
    may_overflow: bool
    session: InferenceSession
    layers: tuple[Layer, ...]
    image_layout: ImageLayout | None = None
    doubt: str = ""
    stamp: Stamp = ()
    label_names: bytes = b""

    @property
    def n_pixels(self) -> int:
        """Pixels of one image."""
        return self.layer_sizes[0]

    @property
    def takes_pixels(self) -> bool:
        """Whether its inputs are pixels in [0, 1], which bytes can stand for."""
        return self.input_range == PIXELS

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.layer_sizes) - 2

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all outputs, the hidden layers from input to output."""
        return (OUTPUT, LABELS, *(HIDDEN.format(index + 1) for index in range(self.n_hidden)))

    def expected_seconds(self, n_images: int) -> float:
        """Estimate how long a run takes, linearly in the number of images."""
        single, many = self.run_seconds
        return single + (many - single) / (WARM_UP_SIZES[1] - 1) * (n_images - 1)

    def predict(self, batch: Batch, hidden_activations: bool = False) -> list[Batch]:
        """Run the network on a batch (N, n_pixels).

        Returns the output layer's activations (N, classes), followed by each hidden layer's (N,
        neurons) from input to output when asked.
        """
        outputs = [OUTPUT]
        if hidden_activations:
            outputs += self.outputs[2:]
        activations: list[Batch] = self.session.run(outputs, {INPUT: batch})
        return activations

    def promised_layers(self) -> tuple[Layer, ...]:
        """Return the layers after the input; raises ModelError if the file's SHA-256 differs."""
        if self.doubt:
            raise ModelError(self.doubt, "weights")
        return self.layers


def load_model(path: Path, name: str, version: int, max_bytes: int = MAX_BYTES) -> Model:
    """Load the ONNX file at `path`, check it against its golden examples and warm it up.

    Raises ModelError when the file is missing, too large, corrupt, not exported by mlpserve, or
    computes something else here; it is only run if it has the form that the exporter writes.
    """
    begin = time.perf_counter()
    try:
        wanted = int(MEMORY_FACTOR * size_of(path, max_bytes))
        with memory_limits.turn(path, wanted):
            memory_limits.check(wanted)
            return _load(path, name, version, max_bytes, begin)
    except Fault as fault:
        raise ModelError(shown(f"{path} {fault}"), fault.reason) from fault
    except MemoryError as error:
        raise ModelError(
            shown(f"{path} needs more memory than is available; raise the limit"), "memory"
        ) from error


def _load(path: Path, name: str, version: int, max_bytes: int, begin: float) -> Model:
    content = read_file(path, max_bytes)
    message, values = read_model(content)
    metadata = read_metadata(values)
    layers = read_layers(message, metadata.layer_sizes, metadata.activations)
    run_bytes = 4 * RUN_IMAGES * sum(metadata.layer_sizes)
    memory_limits.check(int((MEMORY_FACTOR - 1) * len(content)) + run_bytes)
    session = open_session(content)
    input_range = metadata.input_range
    with Runner(session, metadata.layer_sizes, LOAD_SECONDS) as runner:
        difference = check(runner, layers, metadata)
        run_seconds = warm_up(runner, input_range)
    sha256 = weights_sha256(array for layer in layers for array in (layer.weights, layer.biases))
    doubt = ""
    if sha256 != metadata.weights_sha256:
        doubt = shown(
            f"{path} has weights of SHA-256 {sha256}, and its metadata says "
            f"{metadata.weights_sha256}; it is damaged, or was changed by hand: export it again"
        )
    return Model(
        name=name,
        version=version,
        labels=metadata.labels,
        layer_sizes=metadata.layer_sizes,
        parameters=sum(layer.weights.size + layer.biases.size for layer in layers),
        weights_sha256=metadata.weights_sha256,
        golden_difference=difference,
        run_seconds=run_seconds,
        reference=metadata.reference,
        input_range=input_range,
        may_overflow=may_overflow(layers, input_range),
        load_seconds=time.perf_counter() - begin,
        session=session,
        layers=layers,
        image_layout=metadata.image_layout,
        doubt=doubt,
        label_names=_encode_names(metadata.labels),
    )


def _encode_names(labels: Sequence[str]) -> bytes:
    """Return labels as JSON in UTF-8 unless they are their indices, or too long."""
    names = json.dumps(labels, ensure_ascii=False).encode()
    are_indices = [*labels] == [str(index) for index in range(len(labels))]
    return b"" if are_indices or len(names) > MAX_NAMES_BYTES else names
