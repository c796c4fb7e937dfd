"""Trains a network in NumPy; the defaults, and one thread, give the network that ships.

Prints nothing. The same images, options and machine give the same weights, bit for bit, with or
without interruptions, as long as the same number of threads multiplies the matrices.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from canonical.squares import NotSquare
from exporter.network.network import Batch, Layer, Network
from exporter.training import (
    augmentation,
    backpropagation,
    calibration,
    checkpoints,
    folding,
    optimization,
)
from exporter.training.backpropagation import Array
from exporter.training.checkpoints import Epoch, State
from exporter.training.options import INITIAL_GAIN, TrainingError, TrainingOptions


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished training: the network, the figures of each epoch, and how outputs were calibrated.

    `validation_accuracy` is the share of the validation images that the network gets right.
    """

    network: Network
    history: tuple[Epoch, ...]
    calibration: calibration.Calibration
    validation_accuracy: float


def train(
    images: Batch,
    labels: npt.NDArray[np.integer],
    options: TrainingOptions,
    *,
    checkpoint: Path | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a network on images (N, pixels) in [0, 1] and labels (N,), indices of classes.

    After every epoch the state is saved to `checkpoint`, atomically, and `report` is called. When
    `checkpoint` exists already, training goes on from there, and `report` gets the epochs in it
    first; the weights are those that an uninterrupted training gives.

    Raises TrainingError when images and labels don't fit the options, CheckpointError when the
    checkpoint can't be used or belongs to another training, OSError when it can't be written.
    """
    n_train = len(images) - options.n_validation
    if labels.shape != (len(images),) or labels.min(initial=0) < 0:
        raise TrainingError(
            f"labels: shape {labels.shape}, smallest {labels.min(initial=0)}, wanted one of 0 or "
            f"more for each of {len(images)} images"
        )
    if n_train < options.batch_size:
        raise TrainingError(
            f"images: {len(images)}, wanted at least {options.n_validation} for validation and "
            f"{options.batch_size} for a batch; lower n_validation or batch_size"
        )
    targets = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    identity = checkpoints.identify(images, labels, options)
    state = checkpoints.load(checkpoint, identity) if checkpoint and checkpoint.exists() else None
    state = state or start(images.shape[1], targets.shape[1], options)
    for epoch in state.history:
        if report:
            report(epoch)
    try:
        source = augmentation.prepare(images[:n_train]) if options.augment else None
    except NotSquare as error:
        raise TrainingError(
            f"images: {images.shape[1]} pixels each are no square image; train without augmentation"
        ) from error
    while len(state.history) < options.epochs:
        train_epoch(state, images[:n_train], targets[:n_train], source, options)
        z = predict(state, images[n_train:], options)
        state.history[-1] = replace(
            state.history[-1],
            validation_accuracy=float(np.mean(z.argmax(axis=1) == labels[n_train:])),
        )
        if checkpoint:
            checkpoints.save(checkpoint, state, identity)
        if report:
            report(state.history[-1])
    return finish(state, images[n_train:], labels[n_train:], options)


def start(n_inputs: int, n_classes: int, options: TrainingOptions) -> State:
    """Return the first weights, drawn from a normal distribution, and biases of 0.

    The standard deviation is gain * sqrt(2 / (n_in + n_out)) (Glorot and Bengio, 2010), with gain 1
    for the output layer.
    """
    generator = np.random.default_rng(options.seed)
    sizes = (n_inputs, *options.hidden_sizes, n_classes)
    parameters: list[Array] = []
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        gain = INITIAL_GAIN[options.activation] if layer < len(sizes) - 1 else 1.0
        deviation = gain * math.sqrt(2 / (n_in + n_out))
        parameters.append(generator.normal(0, deviation, (n_out, n_in)).astype(np.float32))
        parameters.append(np.zeros(n_out, np.float32))
    means = [np.zeros_like(parameter) for parameter in parameters]
    squares = [np.zeros_like(parameter) for parameter in parameters]
    return State(parameters, means, squares, [])


# What overflows ends in a loss that is not finite, which is an error of its own.
@np.errstate(over="ignore", invalid="ignore")
def train_epoch(
    state: State,
    images: Batch,
    targets: Batch,
    source: augmentation.Source | None,
    options: TrainingOptions,
) -> None:
    """Go through all images once, in a new order, and move the state's arrays in place.

    Images left over after the last whole batch wait for another epoch. All randomness comes from
    the seed and the epoch's number, so that a resumed training draws what an uninterrupted one
    does.
    """
    n_done = len(state.history)
    generator = np.random.default_rng([options.seed, n_done + 1])
    order = generator.permutation(len(images))
    strength = distortion_strength(n_done / options.epochs, options) if source else 0.0
    n_batches = len(images) // options.batch_size
    squared = options.loss == "squared-error"
    loss = backpropagation.squared_error if squared else backpropagation.cross_entropy(options.mix)
    total = rate = 0.0
    for number, indices in enumerate(
        np.split(order[: n_batches * options.batch_size], n_batches), start=n_done * n_batches + 1
    ):
        batch = images[indices]
        if source and strength > 0:
            batch = augmentation.distort(source, indices, options.distortions, strength, generator)
        value, gradients = backpropagation.loss_and_gradients(
            state.parameters, batch, targets[indices], options.activation, loss
        )
        rate = optimization.scheduled(number / (options.epochs * n_batches))
        step(state, gradients, number, rate, options)
        total += value
    if not math.isfinite(total):
        raise TrainingError(f"rate: {options.rate} makes the loss grow past all bounds; lower it")
    state.history.append(Epoch(n_done + 1, total / n_batches, 0.0, rate * options.rate))


def step(
    state: State, gradients: list[Array], number: int, scheduled: float, options: TrainingOptions
) -> None:
    """Move every parameter in place by the options' optimizer; beside Muon, biases move by AdamW.

    `number` counts steps from 1; `scheduled` is the schedule's share of the highest rate. Biases
    never decay, and nothing does in plain gradient descent.
    """
    for index, gradient in enumerate(gradients):
        parameter, mean, square = (
            arrays[index] for arrays in (state.parameters, state.means, state.squares)
        )
        is_matrix = parameter.ndim == 2
        decay = options.decay if is_matrix else 0.0
        share = scheduled * (options.first_rate_factor if index < 2 else 1.0)
        rate = share * options.rate
        if options.optimizer == "sgd":
            optimization.step_sgd(parameter, gradient, rate=rate)
        elif options.optimizer == "muon" and is_matrix:
            optimization.step_muon(parameter, gradient, mean, rate=rate, decay=decay)
        else:
            if options.optimizer == "muon":
                rate = share * options.adamw_rate
            optimization.step_adamw(
                parameter, gradient, mean, square, step=number, rate=rate, decay=decay
            )


def distortion_strength(progress: float, options: TrainingOptions) -> float:
    """Return the distortions' strength in [0, 1] at `progress` in [0, 1] of the training."""
    faded = max(0.0, progress - options.fade_from) / (1 - options.fade_from)
    return 1 - (1 - options.final_strength) * faded


def predict(state: State, images: Batch, options: TrainingOptions) -> Array:
    """Return the output layer's z (N, classes) for images (N, pixels)."""
    return backpropagation.forward(state.parameters, images, options.activation)[-1]


def finish(
    state: State, images: Batch, labels: npt.NDArray[np.integer], options: TrainingOptions
) -> Trained:
    """Calibrate the outputs on the validation images, fold tanh, and build the network."""
    z = predict(state, images, options)
    targets = np.eye(z.shape[1], dtype=z.dtype)[labels]
    fitted = calibration.fit(z, targets)
    parameters = calibration.apply(state.parameters, fitted)
    activation: str = options.activation
    if activation == "tanh":
        parameters, activation = folding.fold_tanh(parameters), "sigmoid"
    activations = [*[activation] * len(options.hidden_sizes), "sigmoid"]
    layers = tuple(map(Layer, parameters[::2], parameters[1::2], activations))
    network = Network(layers, tuple(str(index) for index in range(z.shape[1])))
    return Trained(network, tuple(state.history), fitted, network.accuracy(images, labels))
