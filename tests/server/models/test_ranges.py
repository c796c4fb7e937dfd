"""A model's range comes from its file, is checked by it, and tells whether it may overflow."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.export import graph
from exporter.network.network import Batch, Network
from harness.networks import networks
from modelfile.activations import ACTIVATIONS
from modelfile.input_range import FINITE, PIXELS, InputRange
from server.models.model import load_model
from server.models.onnx.graph import Layer
from server.models.onnx.overflow import UPPER_BOUNDS, may_overflow
from server.models.self_check import Runner, check, warm_up
from tests.server.models.odd_models import NETWORK, SIZES, WHOLE, described, refusal, right, written


def layers_of(network: Network) -> list[Layer]:
    return [Layer(layer.weights, layer.biases, layer.activation) for layer in network.layers]


@pytest.mark.parametrize("wanted", [PIXELS, FINITE, InputRange(-2, 2), InputRange(7, 8)])
def test_the_range_is_that_of_the_file(tmp_path: Path, wanted: InputRange) -> None:
    path = written(tmp_path, graph.build(replace(NETWORK, input_range=wanted)))
    model = load_model(path, "small", 1)
    assert model.input_range == wanted
    assert model.takes_pixels == (wanted == PIXELS)
    assert model.may_overflow == (wanted == FINITE)
    ink = model.reference.bounds["ink"]
    assert min(ink) >= wanted.low
    assert max(ink) <= wanted.high


@pytest.mark.parametrize("text", ["[1, 0]", "[nan, 1]", "[0, inf]", "true", "[0, 1", "", "any"])
def test_what_is_no_range_is_refused(tmp_path: Path, text: str) -> None:
    changed = graph.build(NETWORK)
    changed.metadata_props.add(key="input_range", value=text)
    reason, message = refusal(written(tmp_path, changed))
    assert reason == "metadata"
    assert f"has an input_range that can't be used: {text!r} is not an input range" in message
    assert message.endswith("export it again")


def test_checks_run_what_callers_may_send() -> None:
    seen: list[Batch] = []

    def answer(_names: object, feeds: dict[str, Batch], _options: object) -> list[Batch]:
        seen.append(feeds["pixels"])
        return right(feeds["pixels"])

    session: Any = SimpleNamespace(run=answer)
    wanted = InputRange(-40, -30)
    pixels = wanted.at(np.random.default_rng(3).random((2, 4), np.float32))
    with Runner(session, SIZES, 60) as runner:
        check(runner, NETWORK.layers, described(pixels, right(pixels)[0], wanted))
        warm_up(runner, wanted)
    batch = np.concatenate(seen)
    assert wanted.accepts(batch)
    assert (batch.min(), batch.max()) == (-40, -30)


def test_the_model_of_the_tests_can_not_overflow(tmp_path: Path) -> None:
    assert not load_model(written(tmp_path, WHOLE), "small", 1).may_overflow


def one(activation: str, weight: float, bias: float = 0.0) -> Layer:
    return Layer(np.full((1, 1), weight, np.float32), np.full(1, bias, np.float32), activation)


@pytest.mark.parametrize(
    ("layers", "wanted", "answer"),
    [
        ([one("sigmoid", 1)], PIXELS, False),
        ([one("sigmoid", 3e38)], PIXELS, True),
        ([one("sigmoid", -3e38)], PIXELS, True),
        ([one("sigmoid", 1, -3e38)], PIXELS, True),
        ([one("sigmoid", 1)], FINITE, True),
        ([one("sigmoid", 1)], InputRange(-1e38, 0), False),
        ([one("tanh", 1), one("relu", 1e38)], InputRange(-1e38, 0), False),
        ([one("relu", 1), one("tanh", 1e10)], InputRange(-1e30, 0), True),
        ([one("identity", 1), one("softmax", 1e10)], InputRange(-1, 1e30), True),
        ([one("selu", 1e-30), one("identity", 9e37)], PIXELS, False),
        ([one("selu", 1e-30), one("identity", 2e38)], PIXELS, True),
        ([one("relu", 1e10)] * 3, PIXELS, False),
        ([one("relu", 1e10)] * 4, PIXELS, True),
    ],
)
def test_what_may_overflow(layers: list[Layer], wanted: InputRange, answer: bool) -> None:
    assert may_overflow(layers, wanted) == answer


@given(
    network=networks(min_scale=0.01, max_scale=1e12),
    high=st.sampled_from([1.0, 1e6, 1e20, 1e37]),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_overflows_was_said_to_be_able_to(network: Network, high: float, seed: int) -> None:
    shares = np.random.default_rng(seed).integers(0, 2, (1, network.n_inputs)).astype(np.float32)
    wanted = InputRange(-high, high)
    with np.errstate(all="ignore"):
        outputs = network.forward(wanted.at(shares))[-1]
    assert np.isfinite(outputs).all() or may_overflow(layers_of(network), wanted)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_as_large_as_it_is_assumed(activation: str) -> None:
    for magnitude in (0.1, 1.0, 50.0, 1e6):
        z = np.linspace(-magnitude, magnitude, 101, dtype=np.float32)[np.newaxis]
        found = np.abs(ACTIVATIONS[activation](z)).max()
        assert found <= UPPER_BOUNDS[activation](magnitude) * (1 + 1e-6)
