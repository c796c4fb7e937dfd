"""How a gradient becomes a step: AdamW, Muon and the schedule of their rates."""

import math

import numpy as np

from exporter.training.backpropagation import Array

ADAM_MEAN, ADAM_SQUARE, ADAM_EPSILON = 0.9, 0.999, 1e-8
MUON_MOMENTUM = 0.95

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan et al., Muon, 2024: pushes singular values from (0, 1] to between 0.7 and 1.2 quickly."""

NEWTON_SCHULZ_STEPS = 5

WARM_UP = 0.02
"""Share of the training in which the rate rises."""


def scheduled(progress: float) -> float:
    """Return the rate at `progress` in [0, 1] as a share of the highest.

    It rises linearly to 1 at p = WARM_UP and falls as a half cosine,
    1/2 (1 + cos(pi (p - WARM_UP) / (1 - WARM_UP))), to 0 (Loshchilov and Hutter, SGDR, 2017).
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    return (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2


def step_sgd(parameter: Array, gradient: Array, *, rate: float) -> None:
    """Move `parameter` by one step of plain gradient descent, in place: w = w - rate * gradient."""
    parameter -= rate * gradient


def step_adamw(
    parameter: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    *,
    step: int,
    rate: float,
    decay: float,
) -> None:
    """Move `parameter` by one step of AdamW, in place; `mean` and `square` are its moments.

    Loshchilov and Hutter, Decoupled weight decay regularization, 2019, at step t = 1, 2, ...:

        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
        w = w - rate * (decay * w + (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)).
    """
    mean += (1 - ADAM_MEAN) * (gradient - mean)
    square += (1 - ADAM_SQUARE) * (gradient * gradient - square)
    unbiased_mean = mean / (1 - ADAM_MEAN**step)
    unbiased_square = square / (1 - ADAM_SQUARE**step)
    direction = unbiased_mean / (np.sqrt(unbiased_square) + ADAM_EPSILON)
    parameter -= rate * (decay * parameter + direction)


def step_muon(
    weights: Array, gradient: Array, momentum: Array, *, rate: float, decay: float
) -> None:
    """Move a weight matrix (n_out, n_in) by one step of Muon, in place.

    Jordan et al., Muon, 2024, with Nesterov's momentum:

        m = b m + g,  w = w - rate * (decay * w + sqrt(max(1, n_out / n_in)) orthogonal(g + b m)).
    """
    momentum *= MUON_MOMENTUM
    momentum += gradient
    direction = orthogonalise(gradient + MUON_MOMENTUM * momentum)
    scale = math.sqrt(max(1.0, weights.shape[0] / weights.shape[1]))
    weights -= rate * (decay * weights + scale * direction)


def orthogonalise(matrix: Array) -> Array:
    """Return U V.T, roughly, of a matrix U S V.T: every direction gets about the same length.

    Newton and Schulz's iteration X <- a X + (b A + c A^2) X, A = X X.T, from the matrix divided by
    its Frobenius norm, with NEWTON_SCHULZ for a, b, c. It stays in the matrix's precision.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    X = matrix.T if tall else matrix
    X = X / (math.sqrt(float(np.sum(X * X))) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X.T if tall else X
