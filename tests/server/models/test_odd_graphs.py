"""A model of which something is odd is refused with a reason, before it reaches the runtime."""

import copy
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from server.models import model
from server.models.onnx import graph as onnx_file
from tests.server.models import odd_models as odd
from tests.server.models.odd_models import WHOLE, refusal, set_metadata, written

ODD: dict[Callable[[onnx.ModelProto], None], str] = {
    odd.second_input: "signature",
    odd.fixed_batch: "signature",
    odd.fixed_batch_of_an_output: "signature",
    odd.other_type: "signature",
    odd.no_shape: "signature",
    odd.sequence_input: "signature",
    odd.missing_output: "signature",
    odd.third_output: "signature",
    odd.endless_loop: "operators",
    odd.branch: "operators",
    odd.subgraph_of_a_known_operator: "graph",
    odd.other_domain: "operators",
    odd.functions: "graph",
    odd.one_row: "operators",
    odd.mixed_rows: "graph",
    odd.transposed_images: "graph",
    odd.many_nodes: "graph",
    odd.weights_used_twice: "graph",
    odd.external_data: "external_data",
    odd.sparse_weights: "graph",
    odd.huge_dims: "graph",
    odd.negative_dims: "graph",
    odd.short_weights: "graph",
    odd.integer_weights: "graph",
    odd.weights_that_are_no_numbers: "not_finite",
    odd.constant_bomb: "operators",
    odd.newer_onnx: "not_loadable",
    odd.newer_operators: "operators",
    odd.no_graph: "signature",
}


@pytest.mark.parametrize("change", ODD, ids=lambda change: change.__name__)
def test_odd_graphs_are_refused(tmp_path: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    changed = copy.deepcopy(WHOLE)
    change(changed)
    reason, _ = refusal(written(tmp_path, changed))
    # Which of two words the runtime's own refusal gets is the runtime's choice.
    assert reason == ODD[change] or (change is odd.newer_operators and reason == "not_loadable")


def test_what_is_refused_never_reaches_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_content: bytes) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(model, "open_session", fail)
    for change, reason in ODD.items():
        if change not in (odd.newer_onnx, odd.newer_operators):
            changed = copy.deepcopy(WHOLE)
            change(changed)
            assert refusal(written(tmp_path, changed))[0] == reason


ODD_METADATA = {
    "lone surrogate": ("labels", '["a", "b", "\\ud800"]', "is not Unicode"),
    "control characters": ("labels", '["a", "b", "c\\u0000"]', "holds control characters"),
    "other direction": ("labels", '["a", "b", "c\\u202e"]', "holds control characters"),
    "twice the same": ("labels", '["a", "b", "a "]', "number 2, 'a ', is that of number 0 too"),
    "nothing to see": ("labels", '["a", "b", " "]', "number 2 is empty"),
    "line": ("labels", '["a", "b", "c\\n"]', "holds control characters"),
    "long label": ("labels", f'["a", "b", "{"c" * 300}"]', "more than 256 characters"),
    "many labels": ("labels", f"[{'0, ' * 99_999}0]", "100000 labels for 3 outputs"),
    "huge list": ("labels", f"[{'0, ' * 400_000}0]", "1048576 are read"),
    "labels of another type": ("labels", '["a", "b", null]', "is not text"),
    "labels as an object": ("labels", '{"a": 1}', "is not a list"),
    "deep": ("labels", "[" * 100_000, "metadata that can't be used"),
    "number": ("layer_sizes", "[4, 5, 1e999]", "is not an integer"),
    "long number": ("layer_sizes", f"[4, 5, {'9' * 5000}]", "metadata that can't be used"),
    "negative": ("layer_sizes", "[4, -5, 3]", "layer_sizes"),
    "one layer": ("layer_sizes", "[3]", "layer_sizes"),
    "hash": ("weights_sha256", 'no "hash"\n', "is not a SHA-256"),
    "parameters": ("parameters", "12", "parameters are not"),
    "activation": ("layer_activations", '["relu", "magic"]', "not an activation that is served"),
    "golden that are none": ("golden_activations", "AADAfw" * 4, "metadata that can't be used"),
}


@pytest.mark.parametrize("what", ODD_METADATA)
def test_odd_metadata_is_refused(tmp_path: Path, what: str) -> None:
    key, value, words = ODD_METADATA[what]
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
