"""Perceptrons in any writing are read; other graphs are refused with the node at fault."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from exporter import runtime
from exporter.importing.source import Array, Scaling
from exporter.network.weights_file import WeightsError
from harness.networks import random_batch
from modelfile.input_range import FINITE, InputRange
from tests.exporter.importing.onnx_graphs import (
    FIRST,
    PLAIN,
    SECOND,
    WEIGHTS,
    Step,
    chain,
    imported,
    model,
    run,
    step,
)

HEAD, TAIL = PLAIN[0], PLAIN[1:]
FLOAT = np.float32


def refusal(made: onnx.ModelProto, folder: Path, **choices: Any) -> str:
    with pytest.raises(WeightsError) as caught:
        imported(made, folder, **choices)
    line = str(caught.value)
    assert line.startswith(f"{folder / 'model.onnx'}: ")
    assert "\n" not in line
    return line.partition("model.onnx: ")[2]


def numbers(*values: float) -> Array:
    return np.array(values, FLOAT)


SAME: Mapping[str, tuple[Sequence[Step], Mapping[str, Any]]] = {
    "as it is": (PLAIN, {}),
    "MatMul and Add": (
        (step("MatMul", "", "V1"), step("Add", "", "b1"), *TAIL),
        {"V1": FIRST.weights.T},
    ),
    "biases first": (
        (step("MatMul", "", "V1"), step("Add", "b1", ""), *TAIL),
        {"V1": FIRST.weights.T},
    ),
    "biases in a row": (
        (step("MatMul", "", "V1"), step("Add", "", "row"), *TAIL),
        {"V1": FIRST.weights.T, "row": FIRST.biases[np.newaxis]},
    ),
    "alpha and beta": (
        (step("Gemm", "", "half", "double", transB=1, alpha=2.0, beta=0.5), *TAIL),
        {"half": FIRST.weights / 2, "double": FIRST.biases * 2},
    ),
    "weights not transposed": ((step("Gemm", "", "V1", "b1"), *TAIL), {"V1": FIRST.weights.T}),
    "biases added later": ((step("Gemm", "", "W1", transB=1), step("Add", "", "b1"), *TAIL), {}),
    "Clip from 0": (
        (HEAD, step("Clip", "", "zero"), *TAIL[1:]),
        {"zero": numbers(0).reshape(())},
    ),
    "Max with 0": ((HEAD, step("Max", "zero", ""), *TAIL[1:]), {"zero": numbers(0)}),
    "Dropout, Identity and Cast": (
        (HEAD, TAIL[0], step("Dropout"), step("Identity"), step("Cast", to=1), *TAIL[1:]),
        {},
    ),
    "Dropout that says it": (
        (HEAD, TAIL[0], step("Dropout", "", "ratio", "no"), *TAIL[1:]),
        {"ratio": numbers(0.5).reshape(()), "no": np.array(False)},
    ),
    "axes that come and go": (
        (
            step("Unsqueeze", "", "one"),
            step("Squeeze", "", "one"),
            step("Reshape", "", "pairs"),
            step("Flatten"),
            HEAD,
            *TAIL,
        ),
        {"one": np.array([1]), "pairs": np.array([-1, 2, 2])},
    ),
    "Reshape that copies": (
        (step("Reshape", "", "zero"), HEAD, *TAIL),
        {"zero": np.array([0, -1])},
    ),
    "Transpose there and back": (
        (
            step("Reshape", "", "pairs"),
            step("Transpose", perm=[0, 2, 1]),
            step("Flatten"),
            step("Gemm", "", "moved", "b1", transB=1),
            *TAIL,
        ),
        {"pairs": np.array([-1, 2, 2]), "moved": FIRST.weights[:, [0, 2, 1, 3]]},
    ),
    "neurons that change places": (
        (
            HEAD,
            TAIL[0],
            step("Reshape", "", "column"),
            step("Transpose", perm=[0, 2, 1]),
            step("Flatten"),
            *TAIL[1:],
        ),
        {"column": np.array([-1, 5, 1])},
    ),
    "Scaler of its own": (
        (
            step("Sub", "", "mean"),
            step("Div", "", "std"),
            step("Gemm", "", "scaled", "shifted", transB=1),
            *TAIL,
        ),
        {
            "mean": numbers(0.5, 0.25, 0.5, 0.75),
            "std": numbers(0.5, 0.25, 0.5, 0.25),
            "scaled": FIRST.weights * numbers(0.5, 0.25, 0.5, 0.25),
            "shifted": FIRST.biases + FIRST.weights @ numbers(0.5, 0.25, 0.5, 0.75),
        },
    ),
    "inverted pixels": (
        (
            step("Sub", "one", ""),
            step("Gemm", "", "negative", "shifted", transB=1),
            *TAIL,
        ),
        {
            "one": numbers(1),
            "negative": -FIRST.weights,
            "shifted": FIRST.biases + FIRST.weights.sum(axis=1),
        },
    ),
    "BatchNormalization after": (
        (
            step("Gemm", "", "W1", transB=1),
            step("BatchNormalization", "", "twos", "b1", "zeros", "fours", epsilon=0.0),
            *TAIL,
        ),
        {"twos": np.full(5, 2, FLOAT), "fours": np.full(5, 4, FLOAT), "zeros": np.zeros(5, FLOAT)},
    ),
    "SELU's numbers as PyTorch writes them": ((HEAD, TAIL[0], *TAIL[1:]), {}),
    "weights in eight bits": (
        (
            step("DequantizeLinear", "q", "steps", "middle", axis=0),
            step("Gemm", "x", "", "b1", transB=1),
            *TAIL,
        ),
        {
            "q": np.arange(20, dtype=np.int8).reshape(5, 4),
            "steps": np.full(5, 0.125, FLOAT),
            "middle": np.full(5, 9, np.int8),
        },
    ),
    "Neg twice": ((step("Neg"), step("Neg"), HEAD, *TAIL), {}),
    "a logarithm": ((HEAD, *TAIL[:-1], step("LogSoftmax", axis=-1)), {}),
    "a logarithm of its own": ((HEAD, *TAIL, step("Log")), {}),
    "logits": ((HEAD, *TAIL[:-1]), {}),
    "two sums": ((HEAD, step("Gemm", "", "W2", "b2", transB=1), step("Softmax", axis=1)), {}),
}


@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("writing", SAME)
def test_perceptrons_in_any_writing(
    tmp_path: Path, writing: str, dtype: type, batch: str | int
) -> None:
    steps, constants = SAME[writing]
    if dtype == np.float64:
        if "DequantizeLinear" in [operator for operator, _, _ in steps]:
            return
        steps = [
            (operator, given, {**settings, "to": 11} if operator == "Cast" else settings)
            for operator, given, settings in steps
        ]
    made = chain(steps, constants, shape=(batch, 4), dtype=dtype)
    found = imported(made, tmp_path, input_range=InputRange(0.0, 1.0)).network
    inputs = random_batch(3 if batch == "N" else int(batch), 4)
    answers = run(made, inputs.astype(dtype))
    if steps[-1][0] in ("LogSoftmax", "Log"):
        answers = np.exp(answers)
    np.testing.assert_allclose(found.forward(inputs)[-1], answers, atol=1e-6)
    usual = [FIRST.weights, FIRST.biases, SECOND.weights, SECOND.biases]
    if writing not in ("weights in eight bits", "neurons that change places"):
        for array, other in zip(found.parameters, usual, strict=True):
            np.testing.assert_allclose(array, other, atol=1e-6)


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23])
def test_every_opset(tmp_path: Path, opset: int) -> None:
    axes: Mapping[str, Any] = {} if opset >= 13 else {"axes": [1]}
    extra = ("", "one") if opset >= 13 else ("",)
    steps = (
        step("Unsqueeze", *extra, **axes),
        step("Squeeze", *extra, **axes),
        step("Dropout"),
        step("BatchNormalization", "", "ones", "zeros", "zeros", "ones"),
        HEAD,
        step("Relu"),
        step("Gemm", "", "W2", "b2", transB=1),
        step("LogSoftmax"),
    )
    constants = {"one": np.array([1]), "ones": np.ones(4, FLOAT), "zeros": np.zeros(4, FLOAT)}
    made = chain(steps, constants, opset=opset)
    found = imported(made, tmp_path, input_range=InputRange(0.0, 1.0)).network
    inputs = random_batch(3, 4)
    np.testing.assert_allclose(found.forward(inputs)[-1], np.exp(run(made, inputs)), atol=1e-6)


def test_image_shapes_and_normalised_channels(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).standard_normal((12, 3)).astype(FLOAT)
    steps = (
        step("BatchNormalization", "", "a", "b", "c", "d"),
        step("Transpose", perm=[0, 2, 3, 1]),
        step("Mul", "", "last"),
        step("Flatten"),
        step("MatMul", "", "weights"),
    )
    constants = {
        "a": numbers(2, -1, 0.5),
        "b": numbers(0, 1, 2),
        "c": numbers(0.5, 0.25, 0.125),
        "d": numbers(1, 2, 3),
        "last": numbers(1, 2, 3),
        "weights": weights,
    }
    made = chain(steps, constants, shape=("N", 3, 2, 2))
    found = imported(made, tmp_path, input_range=FINITE).network
    inputs = random_batch(5, 12)
    answers = run(made, inputs.reshape(5, 3, 2, 2))
    np.testing.assert_allclose(found.forward(inputs)[-1], answers, atol=1e-5)


def test_half_precision_is_checked_as_exactly_as_it_is(tmp_path: Path) -> None:
    found = imported(chain(PLAIN, dtype=np.float16), tmp_path).network
    np.testing.assert_array_equal(found.layers[0].weights, FIRST.weights.astype(np.float16))


def test_a_reshape_for_one_image_is_for_any(tmp_path: Path) -> None:
    steps = (step("Reshape", "", "one"), *PLAIN)
    found = imported(chain(steps, {"one": np.array([1, 4])}, shape=("N", 2, 2)), tmp_path)
    np.testing.assert_array_equal(found.network.layers[0].weights, FIRST.weights)


def test_bytes_are_pixels_times_255(tmp_path: Path) -> None:
    steps = (step("Cast", to=1), step("Div", "", "white"), *PLAIN)
    made = chain(steps, {"white": numbers(255)}, dtype=np.uint8, outputs={"y": FLOAT})
    del made.graph.initializer[:]
    for name, array in {**WEIGHTS, "white": numbers(255)}.items():
        made.graph.initializer.append(numpy_helper.from_array(array, name))
    pixels = np.array([[0, 51, 102, 255]], np.uint8)
    for choices in ({}, {"scaling": Scaling(255)}):
        found = imported(made, tmp_path, **choices)
        answer = found.network.forward((pixels / 255).astype(FLOAT))[-1]
        np.testing.assert_allclose(answer, run(made, pixels), atol=1e-6)
    as_they_are = imported(made, tmp_path, input_range=InputRange(0.0, 255.0)).network
    np.testing.assert_allclose(
        as_they_are.forward(pixels.astype(FLOAT))[-1], run(made, pixels), atol=1e-6
    )


def test_integers_that_are_no_bytes_are_asked_for(tmp_path: Path) -> None:
    made = chain((step("Cast", to=1), *PLAIN), dtype=np.float32)
    made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    assert refusal(made, tmp_path).startswith("input_range: the graph takes int64; say which")
    found = imported(made, tmp_path, input_range=InputRange(0.0, 16.0)).network
    inputs = np.array([[0, 3, 9, 16]])
    np.testing.assert_allclose(
        found.forward(inputs.astype(FLOAT))[-1], run(made, inputs), atol=1e-6
    )


def test_scalings_of_the_user_come_before_those_of_the_graph(tmp_path: Path) -> None:
    steps = (step("Mul", "", "sixteenth"), *PLAIN)
    made = chain(steps, {"sixteenth": numbers(1 / 16)})
    assert "input_range: the graph divides its inputs by up to 16, as if" in refusal(made, tmp_path)
    found = imported(made, tmp_path, scaling=Scaling(16.0)).network
    np.testing.assert_array_equal(found.layers[0].weights, FIRST.weights)


BINARY = (
    step("Gemm", "", "w", "b", transB=1),
    step("Sigmoid"),
)
ONE = {"w": FIRST.weights[:1], "b": FIRST.biases[:1], "one": numbers(1)}


@pytest.mark.parametrize("swapped", [False, True])
def test_two_outputs_of_one_neuron(tmp_path: Path, swapped: bool) -> None:
    nodes = [*chain(BINARY, ONE).graph.node]
    nodes.append(helper.make_node("Sub", ["one", "y"], ["no"]))
    both = ["y", "no"] if swapped else ["no", "y"]
    nodes.append(helper.make_node("Concat", both, ["both"], axis=1))
    made = model(nodes, ONE, outputs={"both": FLOAT})
    found = imported(made, tmp_path).network
    assert [layer.activation for layer in found.layers] == ["sigmoid"]
    inputs = random_batch(5, 4)
    np.testing.assert_allclose(found.forward(inputs)[-1], run(made, inputs), atol=1e-6)


def test_labels_are_taken_from_every_kind_of_output(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "fly"], object)
    label = [
        helper.make_node("ArgMax", ["y"], ["index"], axis=1, keepdims=0),
        helper.make_node("Gather", ["names", "index"], ["label"]),
    ]
    nodes = [*chain(PLAIN).graph.node, *label]
    made = model(nodes, {"names": names}, outputs={"label": object, "y": FLOAT})
    found = imported(made, tmp_path)
    assert found.network.labels == ("ant", "bee", "fly")
    assert imported(made, tmp_path, labels=("1", "2", "3")).network.labels == ("1", "2", "3")
    encoder = helper.make_node(
        "LabelEncoder",
        ["index"],
        ["label"],
        domain="ai.onnx.ml",
        keys_int64s=[0, 1, 2],
        values_strings=["x", "y", "z"],
    )
    made = model([*nodes[:-1], encoder], outputs={"y": FLOAT, "label": object})
    assert imported(made, tmp_path).network.labels == ("x", "y", "z")
    alone = model(nodes, {"names": names}, outputs={"label": object})
    found = imported(alone, tmp_path)
    assert found.network.labels == ("ant", "bee", "fly")
    assert found.notes[-1] == (
        "the file returns only what it derives from 'y': the network returns that itself"
    )


def test_labels_that_dont_follow_the_outputs_are_refused(tmp_path: Path) -> None:
    nodes = [
        *chain(PLAIN).graph.node,
        helper.make_node("Gather", ["y", "order"], ["swapped"], axis=1),
        helper.make_node("ArgMax", ["y"], ["index"], axis=1, keepdims=0),
        helper.make_node("Greater", ["y", "half"], ["bright"]),
    ]
    constants = {"order": np.array([2, 1, 0]), "half": numbers(0.9)}
    made = model(nodes, constants, outputs={"y": FLOAT, "bright": bool})
    # Three answers for each image are not a label.
    assert imported(made, tmp_path).network.labels == ("0", "1", "2")


def test_hidden_layers_as_outputs_are_left_out(tmp_path: Path) -> None:
    made = chain(PLAIN, outputs={"t1": FLOAT, "t2": FLOAT, "y": FLOAT, "t3": FLOAT})
    found = imported(made, tmp_path)
    assert found.network.sizes == (4, 5, 3)
    assert "outputs left out: t1, t2, t3" in found.notes


REFUSED: Mapping[str, tuple[Sequence[Step], Mapping[str, Any], str]] = {
    **{
        operator: (
            (HEAD, step(operator), *TAIL[1:]),
            {},
            f"node 'step_2' ({operator}) is not an activation that is served; wanted one of "
            "sigmoid, ",
        )
        for operator in ("LeakyRelu", "Elu", "Softplus", "HardSigmoid", "Softsign", "Abs")
    },
    "two activations": (
        (HEAD, step("Relu"), step("Sigmoid"), *TAIL[1:]),
        {},
        "node 'step_3' (Sigmoid) comes after an activation (relu), without a weighted sum",
    ),
    "an activation of the input": (
        (step("Tanh"), *PLAIN),
        {},
        "node 'step_1' (Tanh) comes after the input, without a weighted sum",
    ),
    "softmax between": (
        (HEAD, step("Softmax"), *TAIL[1:]),
        {},
        "node 'step_3' (Gemm) comes after a Softmax, which ends a network here",
    ),
    "softmax of the columns": (
        (HEAD, *TAIL[:-1], step("Softmax", axis=0)),
        {},
        "node 'step_4' (Softmax) runs along axis 0",
    ),
    "SELU with other numbers": (
        (HEAD, step("Selu", alpha=1.5), *TAIL[1:]),
        {},
        "node 'step_2' (Selu) has alpha 1.5, wanted 1.67326",
    ),
    "Relu up to 6": (
        (HEAD, step("Clip", "", "zero", "six"), *TAIL[1:]),
        {"zero": numbers(0).reshape(()), "six": numbers(6).reshape(())},
        "node 'step_2' (Clip) is not an activation",
    ),
    "columns": (
        (step("Transpose", perm=[1, 0]), *PLAIN),
        {},
        "node 'step_1' (Transpose) mixes images",
    ),
    "weights first": (
        (step("MatMul", "V1", ""), *TAIL),
        {"V1": np.ones((5, 3), FLOAT)},
        "node 'step_1' (MatMul) has its weights before the images; wanted images @ weights",
    ),
    "transA": (
        (step("Gemm", "", "W1", transA=1), *TAIL),
        {},
        "node 'step_1' (Gemm) does not take the images in rows",
    ),
    "images that meet": (
        (step("ReduceMean", axes=[0]), *PLAIN),
        {},
        "node 'step_1' (ReduceMean) is not a layer of a multilayer perceptron",
    ),
    "layer normalisation": (
        (HEAD, step("LayerNormalization", "", "b1"), *TAIL),
        {},
        "node 'step_2' (LayerNormalization) is not a layer",
    ),
    "normalised by the batch": (
        (HEAD, step("BatchNormalization", "", "b1", "b1", "b1", "b1", training_mode=1), *TAIL),
        {},
        "node 'step_2' (BatchNormalization) normalises by the images that come together",
    ),
    "dropout that drops": (
        (HEAD, step("Dropout", "", "ratio", "yes"), *TAIL),
        {"ratio": numbers(0.5).reshape(()), "yes": np.array(True)},
        "node 'step_2' (Dropout) drops activations at random",
    ),
    "a residual connection": (
        (step("Gemm", "", "square"), step("Add", "", "x"), *PLAIN),
        {"square": np.eye(4, dtype=FLOAT)},
        "node 'step_2' (Add) joins branches",
    ),
    "a gate": (
        (HEAD, step("Sigmoid"), step("Mul", "", "t1"), *TAIL[1:]),
        {},
        "node 'step_3' (Mul) joins branches",
    ),
    "a part of the input": (
        (step("Slice", "", "from", "to", "axis"), step("Gemm", "", "half", "b1", transB=1), *TAIL),
        {
            "from": np.array([0]),
            "to": np.array([2]),
            "axis": np.array([1]),
            "half": FIRST.weights[:, :2],
        },
        "node 'step_2' (Gemm) goes on with a part of the activations",
    ),
    "rounding": (
        (step("Cast", to=6), step("Cast", to=1), *PLAIN),
        {},
        "node 'step_1' (Cast) rounds activations to INT32",
    ),
    "a factor at the end": (
        (*PLAIN, step("Mul", "", "hundred")),
        {"hundred": numbers(100)},
        "output 'y' scales, shifts or turns activations after the last layer",
    ),
    "biases of the batch": (
        (step("Gemm", "", "W1", transB=1), step("Add", "", "column"), *TAIL),
        {"column": np.ones((2, 1), FLOAT)},
        "node 'step_2' (Add) adds to or scales 5 an image by 'column' of shape (2, 1)",
    ),
    "an outer product": (
        (step("Gemm", "", "one", transB=1), step("Add", "", "b1"), *TAIL),
        {"one": FIRST.weights[:1]},
        "node 'step_2' (Add) adds to or scales 1 an image by 'b1' of shape (5,)",
    ),
    "division by the activations": (
        (HEAD, step("Div", "ones", ""), *TAIL),
        {"ones": np.ones(5, FLOAT)},
        "node 'step_2' (Div) divides by what it computes from the image",
    ),
    "division by 0": (
        (step("Div", "", "zero"), *PLAIN),
        {"zero": numbers(1, 1, 1, 0)},
        "node 'step_1' (Div) divides by 'zero', which has a 0",
    ),
    "weights that are not numbers": (
        (step("Gemm", "", "nan", "b1", transB=1), *TAIL),
        {"nan": np.where(FIRST.weights > 0, np.nan, FIRST.weights).astype(FLOAT)},
        "node 'step_1' (Gemm) computes with 'nan', not all of which are finite numbers",
    ),
    "no layer at all": ((step("Identity"),), {}, "output 'y' scales, shifts or turns the input"),
    "quantised": (
        (step("QuantizeLinear", "", "step", "zero"), step("DequantizeLinear", "", "step", "zero")),
        {"step": numbers(1).reshape(()), "zero": np.array(0, np.uint8)},
        "node 'step_1' (QuantizeLinear) computes in integers; export the network before",
    ),
    "embeddings": (
        (step("Cast", to=7), step("Gather", "W1", ""), *PLAIN),
        {},
        "node 'step_1' (Cast) rounds activations to INT64",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_graphs_are_refused_with_the_node_at_fault(tmp_path: Path, kind: str) -> None:
    steps, constants, message = REFUSED[kind]
    made = chain(steps, constants)
    assert message in refusal(made, tmp_path, input_range=FINITE)


def test_convolutions_are_refused(tmp_path: Path) -> None:
    steps = (step("Conv", "", "kernel"), step("Relu"), step("Flatten"))
    made = chain(steps, {"kernel": np.ones((1, 1, 2, 2), FLOAT)}, shape=("N", 1, 3, 3))
    line = refusal(made, tmp_path)
    assert line.startswith(
        "node 'step_1' (Conv) is not a layer of a multilayer perceptron, which has"
    )


def test_several_inputs_and_heads_are_refused(tmp_path: Path) -> None:
    made = chain(PLAIN)
    made.graph.input.append(helper.make_tensor_value_info("z", 1, ["N", 2]))
    assert refusal(made, tmp_path).startswith("has 2 inputs: x, z; wanted one")
    nodes = [*made.graph.node, helper.make_node("Gemm", ["t2", "W2"], ["value"], transB=1)]
    made = model(nodes, outputs={"y": FLOAT, "value": FLOAT})
    assert "outputs 'y' and 'value' have layers of their own" in refusal(made, tmp_path)


@pytest.mark.parametrize(
    ("shape", "told"),
    [((), "one number"), ((4,), "4"), (("N", "M"), "any x any"), (("N", 0), "any x any")],
)
def test_inputs_must_be_images_of_fixed_size(
    tmp_path: Path, shape: Sequence[int | str], told: str
) -> None:
    made = chain((step("Reshape", "", "to"), *PLAIN), {"to": np.array([-1, 4])}, shape=shape)
    assert f"input 'x' is {told}; wanted the images along the first" in refusal(made, tmp_path)


def test_choices_that_contradict_the_file_are_refused(tmp_path: Path) -> None:
    assert "activation: tanh, but the source says relu" in refusal(
        chain(PLAIN), tmp_path, activation="tanh"
    )
    assert refusal(chain(PLAIN), tmp_path, orientation="in-out").startswith("orientation: ")
    assert refusal(chain(PLAIN), tmp_path, layers=["W1"]).startswith("layers: an ONNX file tells")


def test_what_is_read_wrongly_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the walk ever misread a node, ONNX Runtime's answers tell."""
    monkeypatch.setitem(
        sys.modules["exporter.importing.onnx.activations"].ELEMENTWISE, "Relu", "tanh"
    )
    line = refusal(chain(PLAIN), tmp_path)
    assert line.startswith(
        "is read as a network whose answers differ from those that ONNX Runtime "
    )


def test_without_onnx_runtime_the_reference_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "onnxruntime", None)
    checked = imported(chain(PLAIN), tmp_path).checked
    assert checked is not None
    assert checked.startswith("answers as the file does in ONNX's reference evaluator, up to ")
