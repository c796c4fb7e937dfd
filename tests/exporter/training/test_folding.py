"""Folding tanh into sigmoid changes the neurons, not the outputs."""

from itertools import pairwise

import numpy as np
import pytest

from exporter.training import backpropagation, folding
from exporter.training.backpropagation import Array


def random_parameters(sizes: tuple[int, ...], dtype: type) -> list[Array]:
    random = np.random.default_rng(0)
    parameters: list[Array] = []
    for n_in, n_out in pairwise(sizes):
        weights = random.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        parameters += [weights.astype(dtype), random.normal(size=n_out).astype(dtype)]
    return parameters


@pytest.mark.parametrize("sizes", [(784, 10), (784, 16, 10), (784, 16, 16, 10), (9, 8, 7, 6, 5)])
def test_outputs_are_equal(sizes: tuple[int, ...]) -> None:
    batch = np.random.default_rng(1).random((200, sizes[0]))
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 5e-6)):
        parameters = random_parameters(sizes, dtype)
        folded = folding.fold_tanh(parameters)
        tanh = backpropagation.forward(parameters, batch.astype(dtype), "tanh")
        sigmoid = backpropagation.forward(folded, batch.astype(dtype), "sigmoid")
        np.testing.assert_allclose(sigmoid[-1], tanh[-1], atol=tolerance, rtol=0)
        for hidden_sigmoid, hidden_tanh in zip(sigmoid[1:-1], tanh[1:-1], strict=True):
            np.testing.assert_allclose(2 * hidden_sigmoid - 1, hidden_tanh, atol=tolerance, rtol=0)
        # What the network gives, sigmoid(z).
        outputs = [1 / (1 + np.exp(-z[-1])) for z in (tanh, sigmoid)]
        np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-6, rtol=0)


def test_arguments_stay_as_they_are() -> None:
    parameters = random_parameters((5, 4, 3), np.float32)
    copies = [parameter.copy() for parameter in parameters]
    folding.fold_tanh(parameters)
    for parameter, copy in zip(parameters, copies, strict=True):
        np.testing.assert_array_equal(parameter, copy)
