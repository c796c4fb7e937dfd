"""Whatever is imported answers as ONNX Runtime does: perceptrons always, other graphs or never."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies
from hypothesis.strategies import DrawFn

from exporter import importing
from exporter.importing.source import Array, Choices
from exporter.network.network import NetworkError
from exporter.network.weights_file import WeightsError
from modelfile.input_range import InputRange
from tests.exporter.importing.onnx_graphs import Step, chain, imported, run, run_all, step
from tests.exporter.importing.test_onnx_exports import DATA, FILES

RANGE = InputRange(-2.0, 2.0)
FLOAT = np.float32
SMOOTH = ("Relu", "Sigmoid", "Tanh", "Selu", "Identity", "Dropout")
OTHERS = (
    *("LeakyRelu", "Elu", "Softplus", "HardSigmoid", "Softsign", "Abs", "Exp", "Neg", "Softmax"),
    *("LogSoftmax", "Log", "Floor", "Sqrt", "Erf", "ThresholdedRelu", "Sign", "ReduceMean"),
)
UNARY = (*SMOOTH, *OTHERS)
REPLACED = (
    *("torch_normalised_script_13", "torch_view_dynamo", "torch_view_script_7"),
    *("sklearn_binary", "sklearn_relu", "sklearn_minmax_feature", "sklearn_logistic"),
    *("sklearn_regression", "keras_flatten", "keras_normalised", "tf2onnx_image"),
)


class Made:
    """A chain of steps that grows, the constants that it names, and how many numbers it holds."""

    def __init__(self, size: int, seed: int) -> None:
        self.steps: list[Step] = []
        self.constants: dict[str, Array] = {}
        self.size = size
        self.random = np.random.default_rng(seed)

    def constant(self, *shape: int, low: float = -1.5, high: float = 1.5) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = self.random.uniform(low, high, shape).astype(FLOAT)
        return name

    def integers(self, *values: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values, np.int64)
        return name

    def gemm(self, n_out: int, transposed: bool, biases: bool) -> None:
        shape = (n_out, self.size) if transposed else (self.size, n_out)
        more = [self.constant(n_out)] if biases else []
        self.steps.append(
            step("Gemm", "", self.constant(*shape), *more, transB=int(transposed), alpha=1.25)
        )
        self.size = n_out

    def matmul(self, n_out: int, biases: bool, first: bool) -> None:
        self.steps.append(step("MatMul", "", self.constant(self.size, n_out)))
        self.size = n_out
        if biases:
            name = self.constant(n_out)
            self.steps.append(step("Add", *((name, "") if first else ("", name))))

    def fold(self, operator: str, first: bool, alone: bool) -> None:
        shape = (1,) if alone else (self.size,)
        name = self.constant(*shape, low=0.5)
        swapped = first and operator != "Div"
        self.steps.append(step(operator, *((name, "") if swapped else ("", name))))

    def normalise(self) -> None:
        names = [self.constant(self.size) for _ in range(3)]
        names.append(self.constant(self.size, low=0.1))
        self.steps.append(step("BatchNormalization", "", *names))

    def arrange(self, kind: int) -> None:
        self.steps += [
            [step("Reshape", "", self.integers(0, 1, -1)), step("Flatten")],
            [step("Unsqueeze", "", self.integers(-1)), step("Squeeze", "", self.integers(2))],
            [
                step("Reshape", "", self.integers(-1, self.size, 1)),
                step("Transpose", perm=[0, 2, 1]),
                step("Reshape", "", self.integers(-1, self.size)),
            ],
        ][kind]


@strategies.composite
def perceptrons(draw: DrawFn) -> Made:
    """Layers in any of their writings, with scalers before and normalisations inside."""
    made = Made(draw(strategies.integers(1, 5)), draw(strategies.integers(0, 2**32 - 1)))
    boolean = strategies.booleans()
    n_layers = draw(strategies.integers(1, 3))
    for index in range(n_layers):
        for _ in range(draw(strategies.integers(0, 2))):
            kind = draw(strategies.sampled_from(["Add", "Sub", "Mul", "Div", "arrange"]))
            if kind == "arrange":
                made.arrange(draw(strategies.integers(0, 2)))
            else:
                made.fold(kind, draw(boolean), draw(boolean))
        n_out = draw(strategies.integers(2, 5))
        if draw(boolean):
            made.gemm(n_out, draw(boolean), draw(boolean))
        else:
            made.matmul(n_out, draw(boolean), draw(boolean))
        if draw(boolean):
            made.normalise()
        last = index == n_layers - 1
        names = ("Softmax", "Sigmoid", "Identity") if last else SMOOTH
        made.steps.append(step(draw(strategies.sampled_from(names))))
    return made


@strategies.composite
def graphs(draw: DrawFn) -> Made:
    """Perceptrons with a step or two replaced, added or left out: most are none any more."""
    made = draw(perceptrons())
    for _ in range(draw(strategies.integers(1, 2))):
        place = draw(strategies.integers(0, len(made.steps) - 1))
        other = step(draw(strategies.sampled_from(UNARY)))
        kind = draw(strategies.sampled_from(["replace", "insert", "remove", "branch", "axis"]))
        if kind == "replace":
            made.steps[place] = other
        elif kind == "insert":
            made.steps.insert(place, other)
        elif kind == "remove" and len(made.steps) > 1:
            del made.steps[place]
        elif kind == "branch":
            operator = draw(strategies.sampled_from(["Add", "Mul", "Sub", "Max"]))
            earlier = draw(strategies.integers(0, place))
            made.steps.insert(place, step(operator, "", f"t{earlier}" if earlier else "x"))
        elif kind == "axis":
            made.steps.insert(place, step("Softmax", axis=draw(strategies.integers(-2, 1))))
    return made


def compare(made: onnx.ModelProto, folder: Path, size: int, batch: int) -> bool:
    """Whether a model is imported, which then answers as ONNX Runtime does."""
    try:
        network = imported(made, folder, input_range=RANGE).network
    except WeightsError:
        return False
    random = np.random.default_rng(99)
    inputs = RANGE.at(random.random((batch, size), FLOAT))
    answers = run(made, inputs).astype(np.float64)
    found = network.forward(inputs)[-1]
    if answers.shape[-1] == 1:
        found = found[:, 1:]
    wrong = np.abs(found - answers.reshape(found.shape)) > 1e-4 * np.maximum(1, np.abs(found))
    if wrong.any():
        # The only other answers are logarithms of shares.
        np.testing.assert_allclose(found, np.exp(answers.reshape(found.shape)), atol=1e-4)
        assert made.graph.node[-1].op_type in ("LogSoftmax", "Log", "Identity", "Dropout")
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


Batch = strategies.sampled_from(["N", 1, 3])


@settings(deadline=None, max_examples=150)
@given(made=perceptrons(), batch=Batch, opset=strategies.sampled_from([13, 15, 17, 20, 23]))
def test_perceptrons_are_imported(folder: Path, made: Made, batch: str | int, opset: int) -> None:
    n_inputs = _inputs(made)
    model = chain(made.steps, made.constants, shape=(batch, n_inputs), opset=opset)
    assert compare(model, folder, n_inputs, 7 if batch == "N" else int(batch))


@settings(deadline=None, max_examples=400)
@given(made=graphs(), batch=Batch)
def test_other_graphs_are_refused_or_read_rightly(
    folder: Path, made: Made, batch: str | int
) -> None:
    n_inputs = _inputs(made)
    model = chain(made.steps, made.constants, shape=(batch, n_inputs))
    compare(model, folder, n_inputs, 7 if batch == "N" else int(batch))


BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "MatMul", "Gemm")


@pytest.mark.parametrize("name", [name for name in FILES if name in REPLACED])
def test_real_exports_with_an_operator_replaced(folder: Path, name: str) -> None:
    whole = onnx.load(DATA / f"{name}.onnx")
    (images,) = [
        value
        for value in whole.graph.input
        if value.name not in {tensor.name for tensor in whole.graph.initializer}
    ]
    shape = [dim.dim_value for dim in images.type.tensor_type.shape.dim[1:]]
    n_imported = 0
    for index, node in enumerate(whole.graph.node):
        for operator in BINARY if len(node.input) > 1 else UNARY:
            made = onnx.ModelProto()
            made.CopyFrom(whole)
            made.graph.node[index].op_type = operator
            del made.graph.node[index].attribute[:]
            path = folder / "replaced.onnx"
            path.write_bytes(made.SerializeToString())
            try:
                network = importing.from_file(path, Choices(input_range=RANGE))[0].network
            except (WeightsError, NetworkError):
                continue
            n_imported += 1
            inputs = RANGE.at(np.random.default_rng(7).random((5, network.n_inputs), FLOAT))
            answers = run_all(made, images.name, inputs.reshape(5, *shape))
            found = network.forward(inputs)[-1]
            assert any(agree(found, answer) for answer in answers), (index, operator)
    assert n_imported


def agree(found: Array, answer: object) -> bool:
    """Whether an output of a graph holds a network's answers, their logarithm, or one of two."""
    if isinstance(answer, list):
        answer = np.array([list(row.values()) for row in answer])
    if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f":
        return False
    found = found[:, 1:] if answer.size == len(found) else found
    with np.errstate(all="ignore"):
        return answer.size == found.size and any(
            np.allclose(found, form.reshape(found.shape), atol=1e-4, rtol=1e-4)
            for form in (answer, np.exp(answer))
        )


def _inputs(made: Made) -> int:
    """Return how many numbers the first matrix takes, before which nothing changes their number."""
    for operator, names, attributes in made.steps:
        if operator in ("Gemm", "MatMul"):
            shape = made.constants[names[1]].shape
            return int(shape[1] if attributes.get("transB") else shape[0])
    return made.size
