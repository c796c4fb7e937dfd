"""One loaded model: its ONNX Runtime session, and the proof that it computes the same here."""

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from server.errors import ModelError
from server.reference import Reference, read_reference

# Since 1.29 ONNX Runtime reports to its makers unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

Batch = npt.NDArray[np.float32]

FORMAT = "mlpserve/1"
INPUT, OUTPUT, HIDDEN = "pixels", "activations", "hidden_{}"
LABELS = "labels"
"""Of the outputs this one is not in the file: the server counts the brightest."""

GOLDEN_TOLERANCE = 1e-5
"""Largest difference from the exporter's NumPy answers; relative for activations beyond 1."""

WARM_UP_SIZES = (1, 64)
WARM_UP_RUNS = 3


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Model:
    """A network exported to ONNX, ready to run.

    `layer_sizes` counts the neurons of each layer from the input to the output, such as (784, 16,
    16, 10); `labels` names the classes; `golden_difference` is the largest difference found by the
    self-check; `run_seconds` is what a run of one image and one of 64 took at the warm-up;
    `reference` is what its training images looked like; `content` is the file, which costs no
    memory since the session keeps it too.
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
    session: onnxruntime.InferenceSession
    content: bytes

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


def load_model(path: Path, name: str, version: int) -> Model:
    """Load the ONNX file at `path`, check it against its golden examples and warm it up.

    Raises ModelError when the file is missing, corrupt, not exported by mlpserve, or answers
    differently here.
    """
    begin = time.perf_counter()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}", "unreadable") from error
    session = _open_session(path, content)
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"{path} was not exported by mlpserve: its metadata has format "
            f"{metadata.get('format')!r} instead of "
            f"{FORMAT!r}; build it with `python -m exporter export`",
            "format",
        )
    try:
        layer_sizes = tuple(int(size) for size in json.loads(metadata["layer_sizes"]))
        labels = tuple(str(label) for label in json.loads(metadata["labels"]))
        parameters = int(metadata["parameters"])
        weights_sha256 = metadata["weights_sha256"]
        golden_pixels = _read_floats(metadata, "golden_pixels", layer_sizes[0])
        golden_activations = _read_floats(metadata, "golden_activations", layer_sizes[-1])
        reference = read_reference(metadata.get("reference"), labels)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            f"{path} has metadata that can't be used ({type(error).__name__}: {error}); export it "
            "again",
            "metadata",
        ) from error
    _check_signature(path, session, layer_sizes, labels)
    difference = _golden_difference(path, session, golden_pixels, golden_activations)
    return Model(
        name=name,
        version=version,
        labels=labels,
        layer_sizes=layer_sizes,
        parameters=parameters,
        weights_sha256=weights_sha256,
        golden_difference=difference,
        run_seconds=_warm_up(session, layer_sizes[0]),
        reference=reference,
        load_seconds=time.perf_counter() - begin,
        session=session,
        content=content,
    )


def _open_session(path: Path, content: bytes) -> onnxruntime.InferenceSession:
    """Open a session of one thread, since spinning ones would eat a container's quota."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime has an exception class for each kind of failure, and none above them.
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{path} is not a model that ONNX Runtime can load: {reason}", "not_loadable"
        ) from error


def _read_floats(metadata: Mapping[str, str], key: str, columns: int) -> Batch:
    """Read a (rows, columns) array of little-endian float32 in base64."""
    values = np.frombuffer(base64.b64decode(metadata[key], validate=True), "<f4").reshape(
        -1, columns
    )
    if not len(values):
        raise ValueError(f"{key} is empty")
    return values.astype(np.float32)


def _check_signature(
    path: Path,
    session: onnxruntime.InferenceSession,
    layer_sizes: tuple[int, ...],
    labels: tuple[str, ...],
) -> None:
    """Raise ModelError unless inputs, outputs and labels fit the layer sizes."""
    if len(labels) != layer_sizes[-1]:
        raise ModelError(
            f"{path} has {len(labels)} labels for {layer_sizes[-1]} outputs; export it again",
            "signature",
        )
    wanted = {INPUT: layer_sizes[0], OUTPUT: layer_sizes[-1]}
    wanted |= {HIDDEN.format(index): size for index, size in enumerate(layer_sizes[1:-1], start=1)}
    found = {tensor.name: tensor for tensor in (*session.get_inputs(), *session.get_outputs())}
    for name, columns in wanted.items():
        tensor = found.get(name)
        if tensor is None or tensor.type != "tensor(float)" or tensor.shape[1:] != [columns]:
            described = "missing" if tensor is None else f"{tensor.type} {tensor.shape}"
            raise ModelError(
                f"{path}: {name} is {described}, wanted tensor(float) [N, {columns}]; export it "
                "again",
                "signature",
            )


def _warm_up(session: onnxruntime.InferenceSession, n_pixels: int) -> tuple[float, float]:
    """Run what a first caller would wait for; returns the shortest time of each size."""
    times = []
    for size in WARM_UP_SIZES:
        batch = np.zeros((size, n_pixels), np.float32)
        runs = []
        for _ in range(WARM_UP_RUNS):
            begin = time.perf_counter()
            session.run(None, {INPUT: batch})
            runs.append(time.perf_counter() - begin)
        times.append(min(runs))
    one, many = times
    return one, max(one, many)


def _golden_difference(
    path: Path, session: onnxruntime.InferenceSession, pixels: Batch, expected: Batch
) -> float:
    """Return the largest difference from the golden activations, or raise ModelError."""
    (activations,) = session.run([OUTPUT], {INPUT: pixels})
    if activations.shape != expected.shape:
        raise ModelError(
            f"{path} has {len(pixels)} golden images but {len(expected)} golden answers; export "
            "it again",
            "golden_examples",
        )
    difference = float(np.max(np.abs(activations - expected) / np.maximum(1.0, np.abs(expected))))
    if not difference <= GOLDEN_TOLERANCE:
        raise ModelError(
            f"{path} fails its golden examples: the largest difference is {difference:.3g}, "
            "allowed is "
            f"{GOLDEN_TOLERANCE:g}; the file is damaged or this ONNX Runtime "
            f"({onnxruntime.__version__}) computes "
            "something else: export it again",
            "golden_examples",
        )
    return difference
