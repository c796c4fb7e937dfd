"""Networks that tests make: random ones of any shape, and how hypothesis draws them."""

import numpy as np
from hypothesis import strategies

from exporter.network.network import Batch, Layer, Network
from modelfile.activations import ACTIVATIONS


def random_network(
    sizes: tuple[int, ...] = (784, 16, 16, 10),
    activations: tuple[str, ...] | None = None,
    seed: int = 0,
    scale: float = 1.0,
) -> Network:
    """Weights are normal with variance scale² / n_in, so that sums stay of the order of `scale`."""
    random = np.random.default_rng(seed)
    layers = tuple(
        Layer(
            (scale * random.standard_normal((n_out, n_in)) / np.sqrt(n_in)).astype(np.float32),
            (scale * random.standard_normal(n_out)).astype(np.float32),
            activation,
        )
        for n_in, n_out, activation in zip(
            sizes[:-1], sizes[1:], activations or ("sigmoid",) * (len(sizes) - 1), strict=True
        )
    )
    return Network(layers, tuple(f"class {index}" for index in range(sizes[-1])))


def random_batch(n_images: int, n_inputs: int, seed: int = 0) -> Batch:
    """Pixels in [0, 1)."""
    return np.random.default_rng(seed).random((n_images, n_inputs), dtype=np.float32)


@strategies.composite
def networks(draw: strategies.DrawFn, min_scale: float, max_scale: float) -> Network:
    """One to four layers of any activations, of up to 800 inputs and 64 neurons a layer."""
    n_inputs = draw(strategies.integers(1, 800))
    neurons = draw(strategies.lists(strategies.integers(1, 64), min_size=1, max_size=4))
    names = strategies.sampled_from(sorted(ACTIVATIONS))
    activations = draw(strategies.tuples(*[names] * len(neurons)))
    seed = draw(strategies.integers(0, 2**32 - 1))
    scale = draw(strategies.floats(min_scale, max_scale))
    return random_network((n_inputs, *neurons), activations, seed, scale)
