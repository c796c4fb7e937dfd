"""ModelInferResponses hold what the model has found, alone or written together with others."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpserve.inference.open_inference_pb2 import ModelInferResponse
from server.models.model import Batch, Model
from server.rpc.inference.classes import rank
from server.rpc.inference.responses import Output, Wanted
from server.running.request import Answer
from tests.server.rpc.test_answer_bytes import Shape

OUTPUTS = ("activations", "labels", "hidden_1", "hidden_2")
ID = b"\x1a\x01"


def values_of(response: ModelInferResponse) -> dict[str, npt.NDArray[Any]]:
    """The values of each output, by protobuf and NumPy."""
    found: dict[str, npt.NDArray[Any]] = {}
    for place, output in enumerate(response.outputs):
        is_label = output.datatype == "INT64"
        if response.raw_output_contents:
            content = response.raw_output_contents[place]
            values: npt.NDArray[Any] = np.frombuffer(content, "<i8" if is_label else "<f4")
        elif is_label:
            values = np.array(output.contents.int64_contents, np.int64)
        else:
            values = np.array(output.contents.fp32_contents, np.float32)
        found[output.name] = values.reshape(output.shape)
    return found


@given(
    names=st.lists(st.sampled_from(OUTPUTS), min_size=1, max_size=4, unique=True),
    is_raw=st.booleans(),
    is_final=st.booleans(),
    has_ids=st.booleans(),
    classes=st.sampled_from([1, 3, 128, 129, 300]),
    n=st.integers(1, 9),
)
def test_answers_written_together_are_those_written_alone(
    names: list[str], is_raw: bool, is_final: bool, has_ids: bool, classes: int, n: int
) -> None:
    model = cast(Model, Shape((4, 3, 2, classes)))
    chance = np.random.default_rng(n)
    layers: list[Batch] = [
        chance.random((n, size), np.float32) for size in (classes, *model.layer_sizes[1:-1])
    ]
    labels = layers[0].argmax(axis=1)
    wanted = Wanted(tuple(map(Output, names)), is_raw, is_final)
    ids = [ID + bytes([97 + place]) if has_ids else b"" for place in range(n)]
    together = wanted.write_each(model, labels, layers, ids)
    assert len(together) == n
    for place, content in enumerate(together):
        own = [layer[place].view(np.uint8).data for layer in layers]
        alone = wanted.write(Answer(model, [int(labels[place])], own), ids[place])
        response = ModelInferResponse.FromString(content)
        assert response == ModelInferResponse.FromString(alone)
        assert response.id == ("abcdefghi"[place] if has_ids else "")
        assert bool(response.parameters) == is_final
        found = values_of(response)
        assert list(found) == names
        for name, values in found.items():
            layer = {"activations": 0, "hidden_1": 1, "hidden_2": 2}.get(name)
            expected = labels[place] if layer is None else layers[layer][place]
            np.testing.assert_array_equal(values[0], expected)


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("is_raw", [True, False])
def test_many_images_stand_one_after_the_other(n: int, is_raw: bool) -> None:
    model = cast(Model, Shape((4, 3, 300)))
    rows: Batch = np.random.default_rng(1).random((n, 300), np.float32)
    labels = rows.argmax(axis=1)
    wanted = Wanted((Output("labels"), Output("activations")), is_raw)
    answer = Answer(model, labels.tolist(), [rows.reshape(-1).view(np.uint8).data])
    found = values_of(ModelInferResponse.FromString(wanted.write(answer, b"")))
    np.testing.assert_array_equal(found["labels"], labels)
    np.testing.assert_array_equal(found["activations"], rows)


NUMBERS = st.floats(width=32, allow_nan=False)


@given(
    rows=st.integers(1, 6).flatmap(
        lambda columns: st.lists(
            st.lists(NUMBERS, min_size=columns, max_size=columns), min_size=1, max_size=4
        )
    ),
    count=st.integers(1, 8),
)
def test_ranking_is_that_of_a_stable_sort(rows: list[list[float]], count: int) -> None:
    values = np.array(rows, np.float32)
    expected = [
        (row[place], place)
        for row in rows
        for place in sorted(range(len(row)), key=lambda place: (-row[place], place))[:count]
    ]
    names = [f"é{place}" for place in range(values.shape[1])]
    texts = [text.decode().split(":") for text in rank(values, count, names)]
    assert [(float(np.float32(value)), int(place)) for value, place, _ in texts] == expected
    assert [name for *_, name in texts] == [names[place] for _, place in expected]
    assert [text.decode().split(":") for text in rank(values, count, ())] == [
        [value, place] for value, place, _ in texts
    ]
