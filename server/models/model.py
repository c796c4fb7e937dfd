"""One loaded model: its ONNX Runtime session, and the proof that it computes the same here."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modelfile.layout import HIDDEN
from modelfile.layout import INPUT as INPUT
from modelfile.layout import OUTPUT as OUTPUT
from modelfile.metadata import weights_sha256
from modelfile.reference import Reference
from server.errors import Fault, ModelError
from server.models.onnx.file import read_file, size_of
from server.models.onnx.graph import Layer, read_layers, read_model
from server.models.onnx.metadata import read_metadata
from server.models.runtime import InferenceSession, open_session
from server.models.self_check import WARM_UP_SIZES, Runner, check, warm_up
from server.system import memory_limits
from server.texts import shown

Batch = npt.NDArray[np.float32]

LABELS = "labels"
"""Of the outputs this one is not in the file: the server counts the brightest."""

MAX_BYTES = 256 << 20
"""Of a file, unless the settings say otherwise: 67 million weights, a thousand times as many as
networks for such images have; loading one takes three quarters of a GiB and some seconds.
"""

LOAD_SECONDS = 60.0
"""How long checks and warm-up may take together. What passes the look at its graph takes a fraction
of that, unless its numbers are of the kind with which processors are slow.
"""

MEMORY_FACTOR = 3.25
"""Memory at most while a file is loaded, in its sizes: itself, ONNX Runtime's copies of it, and
what is between.
"""

RUN_IMAGES = 512
"""Images whose activations are counted as memory that a model needs."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A network exported to ONNX, ready to run.

    `layer_sizes` counts the neurons of each layer from the input to the output, such as (784, 16,
    16, 10); `labels` names the classes; `golden_difference` is the largest difference found by the
    self-check; `run_seconds` is what a run of one image and one of 64 took at the warm-up;
    `reference` is what its training images looked like; `layers` are its weights as they stand in
    the file, which stays in memory beside what ONNX Runtime makes of it; `doubt` says what is odd
    about a file that is served all the same.
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
    session: InferenceSession
    layers: tuple[Layer, ...]
    doubt: str = ""

    @property
    def n_pixels(self) -> int:
        """Pixels of one image."""
        return self.layer_sizes[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden layers."""
        return len(self.layer_sizes) - 2

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all that the model can say, the hidden layers from input to output."""
        return (OUTPUT, LABELS, *(HIDDEN.format(index + 1) for index in range(self.n_hidden)))

    def expected_seconds(self, n_images: int) -> float:
        """Return about how long a run takes: linear in the number of images."""
        one, many = self.run_seconds
        return one + (many - one) / (WARM_UP_SIZES[1] - 1) * (n_images - 1)

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
        """Return the layers after the input; raises ModelError unless they are the weights whose
        SHA-256 the file gives.
        """
        if self.doubt:
            raise ModelError(self.doubt, "weights")
        return self.layers


def load_model(path: Path, name: str, version: int, max_bytes: int = MAX_BYTES) -> Model:
    """Load the ONNX file at `path`, check it against its golden examples and warm it up.

    Raises ModelError when the file is missing, too large, corrupt, not exported by mlpserve, or
    answers differently here; nothing of it is run unless it is what the exporter writes.
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
            shown(f"{path} needs more memory than there is; raise the limit"), "memory"
        ) from error


def _load(path: Path, name: str, version: int, max_bytes: int, begin: float) -> Model:
    content = read_file(path, max_bytes)
    file = read_model(content)
    its = read_metadata(file.values)
    layers = read_layers(file, its.layer_sizes, its.activations)
    of_runs = 4 * RUN_IMAGES * sum(its.layer_sizes)
    memory_limits.check(int((MEMORY_FACTOR - 1) * len(content)) + of_runs)
    session = open_session(content)
    with Runner(session, its.layer_sizes, LOAD_SECONDS) as runner:
        difference = check(runner, its.golden_pixels, its.golden_activations)
        run_seconds = warm_up(runner)
    found = weights_sha256(array for layer in layers for array in (layer.weights, layer.biases))
    is_right = found == its.weights_sha256
    doubt = (
        f"{path} has weights of SHA-256 {found}, and its metadata says {its.weights_sha256}; it is "
        "damaged, or was changed by hand: export it again"
    )
    return Model(
        name=name,
        version=version,
        labels=its.labels,
        layer_sizes=its.layer_sizes,
        parameters=sum(layer.weights.size + layer.biases.size for layer in layers),
        weights_sha256=its.weights_sha256,
        golden_difference=difference,
        run_seconds=run_seconds,
        reference=its.reference,
        load_seconds=time.perf_counter() - begin,
        session=session,
        layers=tuple(layers),
        doubt="" if is_right else shown(doubt),
    )
