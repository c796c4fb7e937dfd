"""Damaged, hostile and spread-out ONNX files: read, or refused in one line before any work."""

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from exporter import cli, importing
from exporter.importing.onnx import reading, walking
from exporter.importing.source import Choices
from exporter.network.network import NetworkError
from exporter.network.weights_file import WeightsError
from modelfile.input_range import FINITE
from tests.exporter.importing.onnx_graphs import FIRST, PLAIN, WEIGHTS, chain, imported, model, step
from tests.exporter.importing.test_onnx_exports import DATA, FILES
from tests.exporter.importing.test_onnx_graphs import refusal


def spread(folder: Path) -> tuple[Path, onnx.ModelProto]:
    """A model whose weights lie in a file beside it, as PyTorch writes them by default."""
    path = folder / "spread.onnx"
    made = chain(PLAIN)
    onnx.save_model(
        made, path, save_as_external_data=True, location="spread.onnx.data", size_threshold=0
    )
    return path, onnx.load(path, load_external_data=False)


def told(path: Path, made: onnx.ModelProto) -> str:
    path.write_bytes(made.SerializeToString())
    with pytest.raises(WeightsError) as caught:
        importing.from_file(path, Choices())
    return str(caught.value)


def point(made: onnx.ModelProto, key: str, value: str) -> onnx.ModelProto:
    """Change where the first weights lie."""
    for entry in made.graph.initializer[0].external_data:
        entry.value = value if entry.key == key else entry.value
    return made


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path, _ = spread(tmp_path)
    assert (tmp_path / "spread.onnx.data").stat().st_size >= 4 * (20 + 5 + 15 + 3)
    network = importing.from_file(path, Choices())[0].network
    np.testing.assert_array_equal(network.layers[0].weights, FIRST.weights)


@pytest.mark.parametrize("location", ["../weights", "/etc/hostname", "a/b", "", "..", "a\\b"])
def test_no_other_file_is_opened(tmp_path: Path, location: str) -> None:
    path, made = spread(tmp_path)
    line = told(path, point(made, "location", location))
    assert f"'W1' lies in '{location}', not beside the file; save it with its" in line


def test_links_are_not_followed(tmp_path: Path) -> None:
    path, made = spread(tmp_path)
    data = tmp_path / "spread.onnx.data"
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    assert "not beside the file" in told(path, made)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("offset", "-4", "bytes from -4 on"),
        ("offset", "1e9", "invalid literal"),
        ("length", "99999999999", "99999999999 bytes from"),
        ("length", "-1", "-1 bytes from"),
        ("length", "4", ""),
        ("location", "missing.data", "No such file"),
    ],
)
def test_places_that_are_not_in_the_file(tmp_path: Path, key: str, value: str, reason: str) -> None:
    path, made = spread(tmp_path)
    line = told(path, point(made, key, value))
    assert reason in line
    assert "\n" not in line


def test_more_than_bounds_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, made = spread(tmp_path)
    size = len(made.SerializeToString()) + 50
    monkeypatch.setattr(reading, "MAX_BYTES", size)
    assert f"more than {size} bytes in all" in told(path, made)
    monkeypatch.setattr(reading, "MAX_NODES", 3)
    assert "has 4 nodes or more, wanted up to 3" in told(path, made)
    monkeypatch.setattr(importing, "MAX_BYTES", 10)
    assert "bytes, wanted up to 10" in told(path, made)


def test_constants_are_not_computed_to_any_size(tmp_path: Path) -> None:
    huge = {"shape": np.array([2**20, 2**20]), "one": np.ones(1, np.float32)}
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["wide"]),
        helper.make_node("Gemm", ["x", "wide"], ["y"]),
    ]
    assert "its result has more than" in refusal(model(nodes, huge), tmp_path)
    nodes[0] = helper.make_node("Expand", ["one", "shape"], ["wide"])
    assert "its result has more than" in refusal(model(nodes, huge), tmp_path)
    column = {"row": np.ones((1, 2**15), np.float32), "column": np.ones((2**15, 1), np.float32)}
    nodes[0] = helper.make_node("Add", ["row", "column"], ["wide"])
    assert "its result has more than" in refusal(model(nodes, column), tmp_path)


def test_inputs_and_batches_beyond_bounds(tmp_path: Path) -> None:
    line = refusal(chain((step("Flatten"), *PLAIN), shape=("N", 2**20, 2**20)), tmp_path)
    assert "wanted up to 16777216 numbers an image" in line
    line = refusal(chain(PLAIN, shape=(10**9, 4)), tmp_path)
    assert "takes 1000000000 images at once, too many to try it" in line


def changed(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    made = chain(PLAIN)
    change(made)
    return made


def function(name: str, nodes: list[onnx.NodeProto], opset: int = 17) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, imports)


def call(name: str, given: str, result: str) -> onnx.NodeProto:
    return helper.make_node(name, [given], [result], domain="own")


def in_functions(made: onnx.ModelProto, *functions: onnx.FunctionProto) -> onnx.ModelProto:
    """The plain perceptron with its activation as a function of the file's own."""
    made.functions.extend(functions)
    made.opset_import.append(helper.make_opsetid("own", 1))
    made.graph.node[1].CopyFrom(call(functions[0].name, "t1", "t2"))
    return made


def test_functions_of_the_file_are_put_in_place(tmp_path: Path) -> None:
    relu = function("Rectify", [helper.make_node("Relu", ["a"], ["b"])])
    outer = function("Layer", [call("Rectify", "a", "c"), call("Rectify", "c", "b")])
    found = imported(in_functions(chain(PLAIN), relu), tmp_path).network
    assert [layer.activation for layer in found.layers] == ["relu", "softmax"]
    line = refusal(in_functions(chain(PLAIN), outer, relu), tmp_path)
    assert "(Relu) comes after an activation (relu), without a weighted sum" in line


def test_functions_that_grow_or_call_themselves_are_refused(tmp_path: Path) -> None:
    doubled = [
        function(f"F{level}", [call(f"F{level + 1}", "a", "c"), call(f"F{level + 1}", "c", "b")])
        for level in range(40)
    ]
    last = function("F40", [helper.make_node("Relu", ["a"], ["b"])])
    line = refusal(in_functions(chain(PLAIN), *doubled, last), tmp_path)
    assert "nodes or more, wanted up to 2000" in line
    circle = [function("A", [call("B", "a", "b")]), function("B", [call("A", "a", "b")])]
    line = refusal(in_functions(chain(PLAIN), *circle), tmp_path)
    assert "defines a function 'A' that calls itself" in line
    deep = [function(f"F{level}", [call(f"F{level + 1}", "a", "b")]) for level in range(500)]
    assert "too deeply" in refusal(in_functions(chain(PLAIN), *deep), tmp_path)


def test_what_is_computed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (*[step("Add", "", "one") for _ in range(50)], *PLAIN)
    made = chain(steps, {"one": np.ones(4, np.float32)})
    assert imported(made, tmp_path, input_range=FINITE).network.sizes == (4, 5, 3)
    monkeypatch.setattr(walking, "MAX_NUMBERS", 100)
    line = refusal(made, tmp_path, input_range=FINITE)
    assert line.startswith("node 'step_26' (Add) comes after more than 100 numbers were computed")


def repeat(made: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    made.graph.node.append(helper.make_node("Loop", ["", "", "y"], ["z"], name="again", body=body))


def circle(made: onnx.ModelProto) -> None:
    made.graph.node[0].input[0] = "y"


def bfloat16(made: onnx.ModelProto) -> None:
    halves = helper.make_tensor("W1", TensorProto.BFLOAT16, (5, 4), [1.0] * 20)
    made.graph.initializer[0].CopyFrom(halves)


REFUSED: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "a loop": (repeat, "node 'again' (Loop) decides or repeats while it runs"),
    "a circle": (circle, "is not a valid ONNX graph"),
    "bfloat16": (bfloat16, "'W1' holds BFLOAT16, which is not read; save the network in float32"),
    "another domain": (
        lambda made: made.graph.node[1].MergeFrom(onnx.NodeProto(domain="com.microsoft")),
        "node 'step_2' (com.microsoft.Relu) is an operator of the domain 'com.microsoft'",
    ),
    "no nodes": (lambda made: made.graph.ClearField("node"), "holds no graph with nodes"),
    "an old opset": (
        lambda made: setattr(made.opset_import[0], "version", 6),
        "has opset 6, wanted 7 or later",
    ),
    "a new opset": (
        lambda made: setattr(made.opset_import[0], "version", 999),
        "has opset 999, and the installed onnx knows up to",
    ),
    "an output from nowhere": (
        lambda made: setattr(made.graph.output[0], "name", "W1"),
        "output 'W1' does not depend on the image",
    ),
    "sparse weights": (
        lambda made: made.graph.sparse_initializer.append(
            helper.make_sparse_tensor(
                helper.make_tensor("s", TensorProto.FLOAT, (1,), [1.0]),
                helper.make_tensor("i", TensorProto.INT64, (1,), [0]),
                [4],
            )
        ),
        "holds sparse weights",
    ),
    "texts as input": (
        lambda made: setattr(made.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING),
        "input 'x' is not a tensor of numbers",
    ),
    "names that move the cursor": (
        lambda made: made.graph.node[1].MergeFrom(onnx.NodeProto(name="\x1b[2J\nx", op_type="Elu")),
        "node '?[2J?x' (Elu) is not an activation",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_files_are_refused(tmp_path: Path, kind: str) -> None:
    change, message = REFUSED[kind]
    assert message in refusal(changed(change), tmp_path)


def test_names_in_the_table_hold_no_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "\x1b]0;x\x07"
    steps = (step("Gemm", "", name, "b1", transB=1), *PLAIN[1:])
    made = chain(steps, {name: FIRST.weights})
    made.producer_name = "\x1b[31mred"
    Path("a.onnx").write_bytes(made.SerializeToString())
    result = CliRunner().invoke(cli.main, ["import", "a.onnx"])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "?]0;x?" in result.output


@pytest.mark.parametrize("name", FILES[::5])
def test_cut_and_damaged_files(tmp_path: Path, name: str) -> None:
    whole = (DATA / f"{name}.onnx").read_bytes()
    chance = random.Random(name)
    path = tmp_path / "file.onnx"
    for index in range(60):
        content = bytearray(whole)
        if index % 3 == 0:
            del content[chance.randrange(len(content)) :]
        else:
            for _ in range(chance.choice((1, 2, 8))):
                content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        with contextlib.suppress(WeightsError, NetworkError):
            importing.from_file(path, Choices(input_range=FINITE))


def test_weights_that_are_none_of_the_graphs_are_not_read(tmp_path: Path) -> None:
    made = chain(PLAIN)
    odd = numpy_helper.from_array(np.full((2, 2), np.nan, np.float32), "unused")
    odd.data_type = TensorProto.BFLOAT16
    odd.raw_data = bytes(8)
    made.graph.initializer.append(odd)
    path = tmp_path / "a.onnx"
    path.write_bytes(made.SerializeToString())
    network = importing.from_file(path, Choices())[0].network
    np.testing.assert_array_equal(network.layers[0].weights, WEIGHTS["W1"])
