"""Models of which something is odd, each made from one that is right, and how they are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.export import graph
from exporter.network.network import Batch
from harness.networks import random_network
from modelfile.input_range import PIXELS, InputRange
from modelfile.metadata import Metadata
from server.errors import ModelError
from server.models.model import load_model
from server.reasons.loads import LOADS

SIZES = (4, 5, 3)
NETWORK = random_network(SIZES, seed=1)
WHOLE = graph.build(NETWORK)
IMAGES = np.random.default_rng(7).random((5, 4), np.float32)
FLOAT = TensorProto.FLOAT


def refusal(path: Path, **arguments: Any) -> tuple[str, str]:
    """Return why a file is not loaded: a word and a sentence that names it."""
    with pytest.raises(ModelError) as caught:
        load_model(path, "small", 1, **arguments)
    reason, message = caught.value.reason, str(caught.value)
    assert reason in LOADS
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "Traceback" not in message
    return reason, message


def written(folder: Path, changed: onnx.ModelProto | bytes) -> Path:
    """Write a model's file, whatever ONNX would say to it."""
    path = folder / "model.onnx"
    path.write_bytes(changed if isinstance(changed, bytes) else changed.SerializeToString())
    return path


def described(pixels: Batch, answers: Batch, input_range: InputRange = PIXELS) -> Metadata:
    """Return the metadata of the network with golden images and answers."""
    activations = tuple(layer.activation for layer in NETWORK.layers)
    return Metadata(
        NETWORK.labels, SIZES, activations, "", pixels, answers, input_range=input_range
    )


def set_metadata(changed: onnx.ModelProto, key: str, value: str) -> None:
    (entry,) = (entry for entry in changed.metadata_props if entry.key == key)
    entry.value = value


# What may be odd about a graph, each as a change of a model that is right.


def second_input(its: onnx.ModelProto) -> None:
    its.graph.input.append(helper.make_tensor_value_info("more", FLOAT, ["N", 4]))


def fixed_batch(its: onnx.ModelProto) -> None:
    its.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def fixed_batch_of_an_output(its: onnx.ModelProto) -> None:
    its.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 8


def other_type(its: onnx.ModelProto) -> None:
    its.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def no_shape(its: onnx.ModelProto) -> None:
    its.graph.input[0].type.tensor_type.ClearField("shape")


def sequence_input(its: onnx.ModelProto) -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, ["N", 4]))
    its.graph.input[0].type.CopyFrom(kind)


def missing_output(its: onnx.ModelProto) -> None:
    del its.graph.output[1]


def third_output(its: onnx.ModelProto) -> None:
    its.graph.output.append(helper.make_tensor_value_info("z1", FLOAT, ["N", 5]))


def endless_loop(its: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", FLOAT, None),
        ],
    )
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    its.graph.initializer.append(yes)
    its.graph.node.append(helper.make_node("Loop", ["", "yes", "z1"], ["never"], body=body))


def branch(its: onnx.ModelProto) -> None:
    one = helper.make_graph([], "one", [], [helper.make_tensor_value_info("z1", FLOAT, None)])
    node = helper.make_node("If", ["z1"], ["never"], then_branch=one, else_branch=one)
    its.graph.node.append(node)


def subgraph_of_a_known_operator(its: onnx.ModelProto) -> None:
    attribute = helper.make_attribute("body", helper.make_graph([], "inner", [], []))
    its.graph.node[0].attribute.append(attribute)


def other_domain(its: onnx.ModelProto) -> None:
    its.graph.node[0].domain = "com.example"
    its.opset_import.append(helper.make_opsetid("com.example", 1))


def functions(its: onnx.ModelProto) -> None:
    its.functions.append(
        helper.make_function(
            "", "Gemm", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], its.opset_import
        )
    )


def one_row(its: onnx.ModelProto) -> None:
    """Answer one row whatever the batch, by a mean over the images."""
    its.graph.node[-1].output[0] = "every"
    axes = numpy_helper.from_array(np.array([0]), "axes")
    its.graph.initializer.append(axes)
    its.graph.node.append(helper.make_node("ReduceSum", ["every", "axes"], ["activations"]))


def mixed_rows(its: onnx.ModelProto) -> None:
    its.graph.node[-1].op_type = "Softmax"
    its.graph.node[-1].attribute.append(helper.make_attribute("axis", 0))
    set_metadata(its, "layer_activations", '["sigmoid", "softmax"]')


def transposed_images(its: onnx.ModelProto) -> None:
    its.graph.node[0].attribute.append(helper.make_attribute("transA", 1))


def many_nodes(its: onnx.ModelProto) -> None:
    nodes = [helper.make_node("Relu", [f"x{i}"], [f"x{i + 1}"]) for i in range(20_000)]
    its.graph.node.extend(nodes)


def weights_used_twice(its: onnx.ModelProto) -> None:
    its.graph.node[2].input[1] = "W1"


def external_data(its: onnx.ModelProto) -> None:
    tensor = its.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def sparse_weights(its: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "W9")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    huge = helper.make_sparse_tensor(values, indices, [1 << 40])
    its.graph.sparse_initializer.append(huge)


def huge_dims(its: onnx.ModelProto) -> None:
    del its.graph.initializer[0].dims[:]
    its.graph.initializer[0].dims.extend([1 << 40, 1 << 22])


def negative_dims(its: onnx.ModelProto) -> None:
    its.graph.initializer[0].dims[0] = -5


def short_weights(its: onnx.ModelProto) -> None:
    its.graph.initializer[0].raw_data = its.graph.initializer[0].raw_data[:-4]


def integer_weights(its: onnx.ModelProto) -> None:
    its.graph.initializer[0].data_type = TensorProto.INT32


def weights_that_are_no_numbers(its: onnx.ModelProto) -> None:
    biases = its.graph.initializer[1]
    biases.raw_data = np.full(5, np.nan, np.float32).tobytes()


def constant_bomb(its: onnx.ModelProto) -> None:
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "shape")
    its.graph.initializer.append(shape)
    its.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["bomb"]))


def newer_onnx(its: onnx.ModelProto) -> None:
    its.ir_version = 99


def newer_operators(its: onnx.ModelProto) -> None:
    its.opset_import[0].version = 9999


def no_graph(its: onnx.ModelProto) -> None:
    its.ClearField("graph")


def right(batch: Batch) -> list[Batch]:
    hidden, output = NETWORK.forward(batch)[-2:]
    return [output, hidden]
