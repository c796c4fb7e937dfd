"""What float32 may be off covers every order of adding, and not much more."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from exporter.network.network import Batch, Network
from harness.networks import random_network
from modelfile.activations import ACTIVATIONS
from modelfile.input_range import PIXELS, InputRange
from modelfile.rounding import Computed, compute

RAW = InputRange(0, 255)
NETWORKS: dict[str, tuple[tuple[int, ...], tuple[str, ...], InputRange, float]] = {
    "raw logits": ((784, 128, 10), ("relu", "identity"), RAW, 1.4),
    "raw softmax": ((784, 128, 10), ("relu", "softmax"), RAW, 1.4),
    "raw sigmoid": ((784, 64, 10), ("sigmoid", "sigmoid"), RAW, 1.0),
    "raw linear": ((784, 10), ("identity",), RAW, 1.0),
    "pixels": ((784, 16, 16, 10), ("sigmoid",) * 3, PIXELS, 3.0),
    "deep relu": ((300, *(48,) * 12, 10), ("relu",) * 12 + ("identity",), RAW, 1.4),
    "deep tanh": ((300, *(48,) * 20, 10), ("tanh",) * 20 + ("softmax",), PIXELS, 1.2),
    "chaotic": ((300, *(48,) * 12, 10), ("tanh",) * 12 + ("softmax",), PIXELS, 2.5),
    "deep selu": ((100, *(40,) * 10, 5), ("selu",) * 10 + ("identity",), InputRange(-9, 9), 1.0),
    "columns": ((30, 100, 2), ("relu", "softmax"), InputRange(-1e4, 1e6), 1.0),
    "tiny": ((4, 3, 2), ("tanh", "identity"), InputRange(1e-20, 1e-18), 1.0),
}

Add = Callable[[Batch, Batch], Batch]
"""Adds terms (N, n_out, n_in) and biases (n_out,) to sums (N, n_out)."""


def one_by_one(terms: Batch, biases: Batch) -> Batch:
    added: Batch = np.cumsum(terms, axis=2, dtype=np.float32)[..., -1] + biases
    return added


def biases_first(terms: Batch, biases: Batch) -> Batch:
    first = np.broadcast_to(biases, terms.shape[:2])[..., np.newaxis]
    added: Batch = np.cumsum(np.concatenate([first, terms], 2), 2, np.float32)[..., -1]
    return added


def by_lanes(terms: Batch, biases: Batch) -> Batch:
    """As a processor adds that has eight lanes: each takes every eighth term."""
    nothing = np.zeros_like(biases)
    lanes = [one_by_one(terms[..., lane::8], nothing) for lane in range(min(8, terms.shape[2]))]
    return one_by_one(np.stack(lanes, axis=-1), biases)


def in_pairs(terms: Batch, biases: Batch) -> Batch:
    added: Batch = terms.sum(axis=2, dtype=np.float32) + biases
    return added


def fused(terms: Batch, biases: Batch) -> Batch:
    """Each product is added before it is rounded; `terms` are float64."""
    total = np.zeros(terms.shape[:2], np.float32)
    for index in range(terms.shape[2]):
        total = (total.astype(np.float64) + terms[..., index]).astype(np.float32)
    return total + biases


ORDERS: dict[str, tuple[Add, str]] = {
    "one by one": (one_by_one, "as they are"),
    "from the end": (one_by_one, "reversed"),
    "shuffled": (one_by_one, "shuffled"),
    "largest first": (one_by_one, "sorted"),
    "biases first": (biases_first, "as they are"),
    "by lanes": (by_lanes, "as they are"),
    "in pairs": (in_pairs, "shuffled"),
    "fused": (fused, "as they are"),
    "fused, shuffled": (fused, "shuffled"),
}


def forward(network: Network, batch: Batch, order: str, seed: int) -> list[Batch]:
    """Compute every layer in float32, the sums in an order."""
    add, arrange = ORDERS[order]
    layers = []
    for layer in network.layers:
        kind = np.float64 if add is fused else np.float32
        terms = batch[:, np.newaxis].astype(kind) * layer.weights.astype(kind)
        if arrange == "reversed":
            terms = terms[..., ::-1]
        elif arrange == "shuffled":
            terms = terms[..., np.random.default_rng(seed).permutation(terms.shape[2])]
        elif arrange == "sorted":
            terms = np.sort(terms, axis=2)[..., ::-1]
        batch = ACTIVATIONS[layer.activation](add(terms, layer.biases))
        layers.append(batch)
    return layers


def drawn(name: str, seed: int) -> tuple[Network, Batch]:
    sizes, activations, input_range, scale = NETWORKS[name]
    network = random_network(sizes, activations, seed, scale)
    shares = np.random.default_rng(seed).random((4, sizes[0]), np.float32)
    shares = np.concatenate([shares, np.round(shares[:1]), np.ones_like(shares[:1])])
    return replace(network, input_range=input_range), input_range.at(shares)


def errors(computed: list[Computed], layers: list[Batch]) -> list[float]:
    return [exact.error(found) for exact, found in zip(computed, layers, strict=True)]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_order_is_allowed_and_not_much_more(name: str, seed: int) -> None:
    network, images = drawn(name, seed)
    computed = list(compute(network.layers, images))
    found = {order: errors(computed, forward(network, images, order, seed)) for order in ORDERS}
    found["NumPy"] = errors(computed, network.forward(images))
    # The largest first is the worst of orders, in which no processor adds.
    assert max(found.pop("largest first")) < 1
    assert max(map(max, found.values())) < 0.3, found
    first = computed[0]
    if network.layers[0].activation in ("relu", "identity"):
        # So does a layer's error not hide behind what is allowed for another processor.
        scale = np.abs(images).max() * np.abs(network.layers[0].weights).sum(axis=1)
        assert (first.allowed < 1e-5 * scale).all()


@pytest.mark.parametrize("order", ORDERS)
def test_equal_terms_whose_errors_all_point_the_same_way(order: str) -> None:
    network = random_network((2000, 5, 3), ("identity", "identity"))
    first, second = network.layers
    equal = replace(first, weights=np.full_like(first.weights, 0.1), biases=0 * first.biases)
    network = replace(network, layers=(equal, second))
    images = np.full((2, 2000), 0.7, np.float32)
    assert (
        max(errors(list(compute(network.layers, images)), forward(network, images, order, 1))) < 1
    )


def test_halves_that_cancel() -> None:
    """What is left is small, but what was added before was not."""
    network = random_network((784, 30, 3), ("identity", "tanh"))
    weights = np.abs(network.layers[0].weights)
    weights[:, 392:] *= -1
    network = replace(
        network, layers=(replace(network.layers[0], weights=weights), network.layers[1])
    )
    images = np.ones((2, 784), np.float32)
    computed = list(compute(network.layers, images))
    for order in ORDERS:
        assert max(errors(computed, forward(network, images, order, 1))) < 1, order


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_what_an_activation_makes_of_an_error(activation: str) -> None:
    """Whatever lies between is not further off than what is allowed."""
    random = np.random.default_rng(5)
    network = random_network((6, 7, 5), ("identity", activation), scale=3)
    images = random.standard_normal((200, 6)).astype(np.float32)
    exact = network.layers[1]
    hidden, output = compute(network.layers, images)
    for share in np.linspace(-1, 1, 9):
        moved = hidden.activations + share * hidden.allowed
        z = moved @ exact.weights.T.astype(np.float64) + exact.biases
        assert output.error(ACTIVATIONS[activation](z)) <= 1


def test_blocks_of_weights_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = drawn("raw logits", 1)
    whole = list(compute(network.layers, images))
    monkeypatch.setattr("modelfile.rounding._BLOCK_VALUES", 10_000)
    for one, other in zip(whole, compute(network.layers, images), strict=True):
        np.testing.assert_allclose(one.activations, other.activations, rtol=1e-9)
        np.testing.assert_allclose(one.allowed, other.allowed, rtol=1e-6)


def test_another_shape_is_no_match() -> None:
    network, images = drawn("pixels", 1)
    *_, output = compute(network.layers, images)
    with pytest.raises(ValueError, match=r"shape \(1, 10\)"):
        output.error(network.forward(images[:1])[-1])
