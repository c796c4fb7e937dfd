"""Whatever lies where a model should: it is loaded and answers right, or refused with a reason."""

import base64
import contextlib
import copy
import gc
import os
import random
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.export import graph
from exporter.network.network import Batch
from harness.networks import random_network
from server.errors import LOAD_REASONS, Fault, ModelError
from server.models import model, runtime, self_check
from server.models.model import load_model
from server.models.onnx import graph as onnx_file
from server.models.self_check import Runner, check
from server.system import memory_limits

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
    assert reason in LOAD_REASONS
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "Traceback" not in message
    return reason, message


def written(folder: Path, changed: onnx.ModelProto | bytes) -> Path:
    """Write a model's file, whatever ONNX would say to it."""
    path = folder / "model.onnx"
    path.write_bytes(changed if isinstance(changed, bytes) else changed.SerializeToString())
    return path


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


ODD: dict[Callable[[onnx.ModelProto], None], str] = {
    second_input: "signature",
    fixed_batch: "signature",
    fixed_batch_of_an_output: "signature",
    other_type: "signature",
    no_shape: "signature",
    sequence_input: "signature",
    missing_output: "signature",
    third_output: "signature",
    endless_loop: "operators",
    branch: "operators",
    subgraph_of_a_known_operator: "graph",
    other_domain: "operators",
    functions: "graph",
    one_row: "operators",
    mixed_rows: "graph",
    transposed_images: "graph",
    many_nodes: "graph",
    weights_used_twice: "graph",
    external_data: "external_data",
    sparse_weights: "graph",
    huge_dims: "graph",
    negative_dims: "graph",
    short_weights: "graph",
    integer_weights: "graph",
    weights_that_are_no_numbers: "not_finite",
    constant_bomb: "operators",
    newer_onnx: "not_loadable",
    newer_operators: "operators",
    no_graph: "signature",
}


@pytest.mark.parametrize("change", ODD, ids=lambda change: change.__name__)
def test_odd_graphs_are_refused(tmp_path: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    changed = copy.deepcopy(WHOLE)
    change(changed)
    reason, _ = refusal(written(tmp_path, changed))
    # Which of two words the runtime's own refusal gets is the runtime's choice.
    assert reason == ODD[change] or (change is newer_operators and reason == "not_loadable")


def test_what_is_refused_never_reaches_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_content: bytes) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(model, "open_session", fail)
    for change, reason in ODD.items():
        if change not in (newer_onnx, newer_operators):
            changed = copy.deepcopy(WHOLE)
            change(changed)
            assert refusal(written(tmp_path, changed))[0] == reason


ODD_METADATA = {
    "lone surrogate": ("labels", '["a", "b", "\\ud800"]', "is not UTF-8"),
    "control characters": ("labels", '["a", "b", "c\\u0000"]', "holds control characters"),
    "line": ("labels", '["a", "b", "c\\n"]', "holds control characters"),
    "long label": ("labels", f'["a", "b", "{"c" * 300}"]', "more than 256 characters"),
    "many labels": ("labels", f"[{'0, ' * 99_999}0]", "100000 labels for 3 outputs"),
    "huge list": ("labels", f"[{'0, ' * 400_000}0]", "1048576 are read"),
    "labels of another type": ("labels", '["a", "b", null]', "is no text"),
    "labels as an object": ("labels", '{"a": 1}', "is no list"),
    "deep": ("labels", "[" * 100_000, "metadata that can't be used"),
    "number": ("layer_sizes", "[4, 5, 1e999]", "is no integer"),
    "long number": ("layer_sizes", f"[4, 5, {'9' * 5000}]", "metadata that can't be used"),
    "negative": ("layer_sizes", "[4, -5, 3]", "layer_sizes"),
    "one layer": ("layer_sizes", "[3]", "layer_sizes"),
    "hash": ("weights_sha256", 'no "hash"\n', "is no SHA-256"),
    "parameters": ("parameters", "12", "parameters are not"),
    "activation": ("layer_activations", '["relu", "magic"]', "none that is served"),
    "golden that are none": ("golden_activations", "AADAfw" * 4, "metadata that can't be used"),
}


@pytest.mark.parametrize("odd", ODD_METADATA)
def test_odd_metadata_is_refused(tmp_path: Path, odd: str) -> None:
    key, value, words = ODD_METADATA[odd]
    changed = copy.deepcopy(WHOLE)
    set_metadata(changed, key, value)
    reason, message = refusal(written(tmp_path, changed))
    assert reason in ("metadata", "signature")
    assert words in message
    assert len(message) <= 1000


def test_networks_beyond_the_bounds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "MAX_NEURONS", 4)
    reason, message = refusal(written(tmp_path, WHOLE))
    assert (reason, "of 5 neurons" in message) == ("too_large", True)
    monkeypatch.undo()
    monkeypatch.setattr(onnx_file, "MAX_METADATA_BYTES", 60)
    assert refusal(written(tmp_path, WHOLE))[0] == "too_large"


def test_metadata_that_comes_twice_or_in_masses(tmp_path: Path) -> None:
    changed = copy.deepcopy(WHOLE)
    changed.metadata_props.add(key="labels", value='["x", "y", "z"]')
    assert refusal(written(tmp_path, changed))[0] == "metadata"
    changed = copy.deepcopy(WHOLE)
    for index in range(100):
        changed.metadata_props.add(key=str(index), value="")
    assert refusal(written(tmp_path, changed))[0] == "metadata"
    assert refusal(written(tmp_path, b"\x72\x00" * 1_000_000))[0] == "not_loadable"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a model's file should be, in a folder short enough for a socket's name."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path / "model.onnx"
    os.chdir(before)


def make_socket(_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("model.onnx")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a pipe"),
        (Path.mkdir, "a folder"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("/dev/tty"), "a device"),
    ],
)
def test_what_is_no_file_is_not_even_opened(
    place: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    make(place)

    def fail(*_arguments: object) -> int:
        raise AssertionError("it was opened")

    monkeypatch.setattr(os, "open", fail)
    reason, message = refusal(place)
    assert (reason, f"is {kind} instead of a file" in message) == ("not_a_file", True)


def test_links_to_files_are_followed_and_others_are_not(place: Path) -> None:
    place.symlink_to(place)
    assert refusal(place)[0] == "unreadable"
    place.unlink()
    place.symlink_to("nowhere")
    assert refusal(place)[0] == "unreadable"
    place.unlink()
    target = place.with_name("target")
    target.write_bytes(WHOLE.SerializeToString())
    place.symlink_to(target)
    assert load_model(place, "small", 1).layer_sizes == SIZES


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        # It has holes, and takes no disk.
        file.truncate(1 << 40)
    reason, message = refusal(path)
    assert reason == "too_large"
    assert f"has {1 << 40} bytes, more than max_model_bytes, {256 << 20}; raise" in message
    size = len(written(tmp_path, WHOLE).read_bytes())
    assert refusal(path, max_bytes=size - 1)[0] == "too_large"
    assert load_model(path, "small", 1, max_bytes=size)


def test_a_file_for_which_there_is_no_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, WHOLE)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 1000)
    reason, message = refusal(path)
    assert (reason, "and 1000 are left" in message) == ("memory", True)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 64 << 20)
    assert load_model(path, "small", 1)


def test_the_tightest_limit_of_memory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text("1000000\n")
    (group / "memory.current").write_text("400000\n")
    (group / "memory.stat").write_text("anon 1\nactive_file 30000\ninactive_file 70000\n")
    monkeypatch.setattr(memory_limits, "group_folders", lambda _controller: [tmp_path, group])
    assert memory_limits.headroom() == 700_000
    (group / "memory.max").write_text("max\n")
    free = memory_limits.headroom()
    assert free is None or free > 1_000_000


def test_workers_load_one_after_the_other_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, WHOLE)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 1000)
    held, begun, order = threading.Event(), threading.Event(), []

    def take() -> None:
        begun.set()
        with memory_limits.turn(path, 500):
            order.append(held.is_set())

    with memory_limits.turn(path, 500):
        other = threading.Thread(target=take)
        other.start()
        assert begun.wait(60)
        held.set()
    other.join(60)
    assert order == [True]


def session_of(answer: Callable[[Batch], list[Batch]]) -> Any:
    """Return what looks like a session to a Runner."""
    return SimpleNamespace(run=lambda _names, feeds, _options: answer(feeds["pixels"]))


def right(batch: Batch) -> list[Batch]:
    hidden, output = NETWORK.forward(batch)[-2:]
    return [output, hidden]


WRONG: dict[str, tuple[Callable[[Batch], list[Batch]], str]] = {
    "one row": (lambda batch: [layer[:1] for layer in right(batch)], "answers"),
    "one row of a hidden layer": (
        lambda batch: [right(batch)[0], right(batch)[1][:1]],
        "answers",
    ),
    "the first for all": (lambda batch: [layer[[0] * len(batch)] for layer in right(batch)], ""),
    "mean of the batch": (
        lambda batch: right(np.repeat(batch.mean(axis=0, keepdims=True), len(batch), axis=0)),
        "",
    ),
    "reversed": (lambda batch: [layer[::-1] for layer in right(batch)], ""),
    "right up to three": (
        lambda batch: right(batch) if len(batch) < 4 else [layer * 0 for layer in right(batch)],
        "",
    ),
    "wrong hidden layer in batches": (
        lambda batch: [right(batch)[0], right(batch)[1] / np.float32(len(batch))],
        "answers",
    ),
    "other type": (lambda batch: [layer.astype(np.float64) for layer in right(batch)], "answers"),
    "no numbers": (
        lambda batch: [layer / np.float32(batch.any()) for layer in right(batch)],
        "not_finite",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("golden", [1, 2, 8])
def test_answers_that_depend_on_the_batch_are_found(wrong: str, golden: int) -> None:
    answer, reason = WRONG[wrong]
    pixels = np.random.default_rng(3).random((golden, 4), np.float32)
    expected = right(pixels)[0]
    with Runner(session_of(right), SIZES, 60) as runner:
        assert check(runner, pixels, expected) == 0
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        Runner(session_of(answer), SIZES, 60) as runner,
        pytest.raises(Fault) as caught,
    ):
        check(runner, pixels, expected)
    assert caught.value.reason in ((reason,) if reason else ("answers", "golden_examples"))


def test_a_check_that_takes_too_long_is_ended() -> None:
    ended = threading.Event()

    def run(_names: object, _feeds: object, options: Any) -> None:
        while not options.terminate:
            ended.wait(0.001)
        raise RuntimeError("Exiting due to terminate flag being set to true.")

    session: Any = SimpleNamespace(run=run)
    with Runner(session, SIZES, 0.01) as runner, pytest.raises(Fault) as caught:
        runner.run(IMAGES)
    assert caught.value.reason == "too_slow"


def test_the_memory_that_runs_out_in_the_runtime_is_called_so() -> None:
    for error in (MemoryError(), RuntimeError("bad allocation"), RuntimeError("std::bad_alloc")):

        def run(*_arguments: object, error: Exception = error) -> None:
            raise error

        session: Any = SimpleNamespace(run=run)
        runner = Runner(session, SIZES, 60)
        with pytest.raises(Fault) as caught:
            runner.run(IMAGES)
        assert caught.value.reason == "memory"


def test_the_real_model_is_checked_in_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = Runner.run

    def run(self: Runner, batch: Batch) -> list[Batch]:
        sizes.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(Runner, "run", run)
    load_model(written(tmp_path, WHOLE), "small", 1)
    assert {1, *self_check.BATCH_SIZES, 8} <= {*sizes}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let nothing find what only refers to itself, as the server does for long."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("is_good", [True, False])
@pytest.mark.usefixtures("no_collector")
def test_nothing_stays_of_what_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    opened: list[weakref.ref[object]] = []
    real = runtime.open_session

    def open_session(content: bytes) -> Any:
        session = real(content)
        opened.append(weakref.ref(session))
        return session

    monkeypatch.setattr(model, "open_session", open_session)
    changed = copy.deepcopy(WHOLE)
    if not is_good:
        golden = base64.b64encode(np.ones((8, 3), "<f4").tobytes()).decode()
        set_metadata(changed, "golden_activations", golden)
    path = written(tmp_path, changed)
    # Without pytest.raises, which would keep the error and all that its functions know.
    with contextlib.suppress(ModelError):
        load_model(path, "small", 1)
    (session,) = opened
    assert session() is None


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Cut, flip, insert, repeat or shuffle some bytes of a file."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        begin = draw.randrange(len(changed))
        end = min(len(changed), begin + draw.choice([1, 2, 16, 200]))
        match draw.randrange(6):
            case 0:
                del changed[begin:]
            case 1:
                changed[begin] ^= 1 << draw.randrange(8)
            case 2:
                changed[begin:begin] = draw.randbytes(end - begin)
            case 3:
                changed[end:end] = changed[begin:end]
            case 4:
                del changed[begin:end]
            case _:
                changed[begin:end] = draw.randbytes(end - begin)
        if not changed:
            break
    return bytes(changed)


def test_damaged_files_are_refused_or_answer_right(tmp_path: Path) -> None:
    draw = random.Random(12)
    whole = WHOLE.SerializeToString()
    expected = right(IMAGES)
    reasons: list[str] = []
    for _ in range(200):
        path = written(tmp_path, damaged(whole, draw))
        try:
            found = load_model(path, "small", 1)
        except ModelError as error:
            reasons.append(error.reason)
            continue
        if not found.doubt:
            for answer, wanted in zip(found.predict(IMAGES, True), expected, strict=True):
                np.testing.assert_allclose(answer, wanted, atol=1e-6)
    assert {*reasons} <= {*LOAD_REASONS} - {"internal"}
    assert len({*reasons}) > 4
    assert len(reasons) < 200, "no damage was without effect, so none was really looked at"


def test_parts_in_another_order_are_the_same_model(tmp_path: Path) -> None:
    parts = []
    for field, _ in WHOLE.ListFields():
        part = onnx.ModelProto()
        if field.is_repeated:
            getattr(part, field.name).extend(getattr(WHOLE, field.name))
        elif field.message_type:
            getattr(part, field.name).CopyFrom(getattr(WHOLE, field.name))
        else:
            setattr(part, field.name, getattr(WHOLE, field.name))
        parts.append(part.SerializeToString())
    path = written(tmp_path, b"".join(reversed(parts)))
    np.testing.assert_allclose(
        load_model(path, "small", 1).predict(IMAGES)[0], right(IMAGES)[0], atol=1e-6
    )


def test_weights_as_numbers_in_place_of_bytes(tmp_path: Path) -> None:
    changed = copy.deepcopy(WHOLE)
    for tensor in changed.graph.initializer:
        tensor.float_data.extend(numpy_helper.to_array(tensor).ravel().tolist())
        tensor.ClearField("raw_data")
    found = load_model(written(tmp_path, changed), "small", 1)
    assert not found.doubt
    np.testing.assert_array_equal(found.layers[0].weights, NETWORK.layers[0].weights)
