"""Golden images lie in the network's range, and what float32 can't compute there is refused."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from exporter.export import graph
from exporter.export.golden import N_GOLDEN, compute_activations, draw_pixels
from exporter.network.network import Layer, Network, NetworkError
from harness.networks import random_batch, random_network
from modelfile.input_range import FINITE, PIXELS, InputRange

NETWORK = random_network((5, 4, 3))
RANGES = [PIXELS, FINITE, InputRange(-1, 1), InputRange(100, 101), InputRange(-40, 7.5)]


@pytest.mark.parametrize("given", RANGES)
def test_golden_images_lie_in_the_range(given: InputRange) -> None:
    network = replace(NETWORK, input_range=given)
    drawn = draw_pixels(network, None)
    assert drawn.shape == (N_GOLDEN, 5)
    assert given.accepts(drawn)
    examples = given.at(random_batch(3, 5))
    np.testing.assert_array_equal(draw_pixels(network, examples)[:3], examples)


def test_examples_outside_the_range() -> None:
    network = replace(NETWORK, input_range=InputRange(-1, 1))
    for bad in (2.0, -1.5, np.nan):
        examples = np.full((2, 5), bad, np.float32)
        with pytest.raises(NetworkError, match=r"examples: numbers from .* wanted numbers in \[-1"):
            graph.build(network, examples=examples)
    with pytest.raises(NetworkError, match=r"examples: shape \(0, 5\)"):
        graph.build(network, examples=np.zeros((0, 5), np.float32))


@pytest.mark.parametrize("given", RANGES)
def test_examples_may_be_rounded(given: InputRange) -> None:
    network = replace(NETWORK, input_range=given)
    examples = np.full((2, 5), np.float32(given.min_accepted))
    examples[1] = given.max_accepted
    np.testing.assert_array_equal(draw_pixels(network, examples)[:2], examples)


@pytest.mark.parametrize("given", RANGES)
def test_metadata_and_golden_answers(given: InputRange) -> None:
    model = graph.build(replace(NETWORK, input_range=given))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    entries = {entry.key: entry.value for entry in model.metadata_props}
    assert entries.get("input_range", "[0, 1]") == str(given)
    pixels = draw_pixels(replace(NETWORK, input_range=given), None)
    (found,) = session.run(["activations"], {"pixels": pixels})
    wanted = NETWORK.forward(pixels)[-1]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    onnx.checker.check_model(model)


@pytest.mark.parametrize("activation", ["relu", "identity", "sigmoid"])
def test_a_range_in_which_activations_overflow(activation: str) -> None:
    """Also where an infinite sum has a sigmoid: in another order it is not a number."""
    network = random_network((50, 4, 3), (activation, "identity"), scale=10)
    wide = replace(network, input_range=InputRange(-3e38, 3e38))
    message = r"weights: so large that activations overflow with numbers in \[-3e"
    with pytest.raises(NetworkError, match=message):
        graph.build(wide)
    # Nobody has to draw from all finite numbers: the server refuses those that overflow.
    graph.build(replace(network, input_range=FINITE))


def test_numbers_that_are_too_large_for_float32_to_tell_apart() -> None:
    # As a scaler of a column about 1e6 leaves it, once it is folded.
    weights = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32) / np.float32(3)
    network = Network((Layer(weights, np.zeros(2, np.float32), "sigmoid"),), ("a", "b"))
    graph.build(replace(network, input_range=InputRange(-10, 10)))
    with pytest.raises(NetworkError, match=r"rounding to float32 changes activations by up to"):
        graph.build(replace(network, input_range=InputRange(1e6, 1.00001e6)))


def test_pixels_are_as_they_were() -> None:
    """So that models of the same network have the same bytes as ever."""
    random = np.random.default_rng(20171117).random((N_GOLDEN, 5), dtype=np.float32)
    np.testing.assert_array_equal(draw_pixels(NETWORK, None), random)
    np.testing.assert_allclose(
        compute_activations(NETWORK, random), NETWORK.forward(random)[-1], rtol=1e-6
    )
    assert "input_range" not in {entry.key for entry in graph.build(NETWORK).metadata_props}
