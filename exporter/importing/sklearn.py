"""From scikit-learn: a fitted MLPClassifier, alive or in a skops file; pickles are never opened."""

import importlib
import warnings
from typing import Any

import numpy as np

from exporter.files import READ_ERRORS
from exporter.importing.source import Scaling, Source, SourceLayer
from exporter.network.arrays import WeightsError, to_names
from modelfile.hints import command

ORIGIN = "scikit-learn MLPClassifier"

ACTIVATIONS = {"logistic": "sigmoid"}
"""Activations that scikit-learn calls otherwise."""

OPTIMIZERS = (
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
"""What a fitted MLPClassifier holds and skops doesn't trust by itself: classes of scikit-learn that
hold numbers, and run nothing when they are read.
"""


def read(classifier: Any) -> Source:
    """Return the layers, activations, classes and scaling of a fitted classifier or pipeline.

    Raises WeightsError when it is not fitted, or is anything but an MLPClassifier, alone or after
    one StandardScaler.
    """
    scaling = Scaling()
    if _is(classifier, "Pipeline"):
        # A step can be left out by None or "passthrough".
        steps = [step for _, step in classifier.steps]
        *before, classifier = [step for step in steps if not isinstance(step, str | None)]
        if len(before) > 1 or not all(_is(step, "StandardScaler") for step in before):
            raise WeightsError(
                f"pipeline: {' > '.join(type(step).__name__ for step in before)} stands before "
                "the classifier, wanted a StandardScaler or nothing; give the classifier alone, "
                "and input_scale, input_mean and input_std for what was done to its inputs"
            )
        if before:
            scaling = _scaling(before[0])
    if not _is(classifier, "MLPClassifier"):
        raise WeightsError(f"classifier: {type(classifier).__name__}, wanted an MLPClassifier")
    if not hasattr(classifier, "coefs_"):
        raise WeightsError("classifier: not fitted; call its fit first")
    layers = tuple(
        SourceLayer(f"coefs_[{index}]", np.asarray(weights), f"intercepts_[{index}]", biases)
        for index, (weights, biases) in enumerate(
            zip(classifier.coefs_, map(np.asarray, classifier.intercepts_), strict=True)
        )
    )
    notes: tuple[str, ...] = ()
    if classifier.out_activation_ == "logistic" and classifier.n_outputs_ > 1:
        notes = (
            "it was fitted on several classes an image: each output says yes or no by itself, and "
            "the label is the brightest alone",
        )
    return Source(
        ORIGIN,
        layers,
        orientation="in-out",
        activations=(ACTIVATIONS.get(classifier.activation, classifier.activation),),
        output=ACTIVATIONS.get(classifier.out_activation_, classifier.out_activation_),
        labels=to_names("classes_", np.asarray(classifier.classes_)),
        scaling=scaling,
        notes=notes,
    )


def read_skops(content: bytes) -> Source:
    """Return what a skops file's classifier or pipeline says.

    Raises WeightsError when skops is not installed, or the file is damaged or asks for types that
    are not trusted.
    """
    try:
        skops = importlib.import_module("skops.io")
    except ImportError as error:
        raise WeightsError(
            "skops files are read by skops and scikit-learn, which are not installed; install "
            f"them with: {command('pip install scikit-learn skops')}"
        ) from error
    try:
        untrusted = sorted(set(skops.get_untrusted_types(data=content)) - set(OPTIMIZERS))
        if untrusted:
            raise WeightsError(
                f"it holds {', '.join(untrusted)}, which could run code when read; dump the "
                "MLPClassifier alone, without types of your own"
            )
        with warnings.catch_warnings():
            # Another version of scikit-learn wrote it: the arrays are the same.
            warnings.simplefilter("ignore")
            return read(skops.loads(content, trusted=list(OPTIMIZERS)))
    except WeightsError:
        raise
    except READ_ERRORS as error:
        raise WeightsError(f"skops can't read it: {type(error).__name__}: {error}") from error


def _is(candidate: Any, name: str) -> bool:
    """Whether an object is of a class of scikit-learn, without importing scikit-learn."""
    return any(
        base.__name__ == name and base.__module__.startswith("sklearn.")
        for base in type(candidate).__mro__
    )


def _scaling(scaler: Any) -> Scaling:
    """Return what a StandardScaler does: its `with_mean` and `with_std` may leave a part out."""
    mean = getattr(scaler, "mean_", None) if scaler.with_mean else None
    std = getattr(scaler, "scale_", None) if scaler.with_std else None
    return Scaling(1.0, 0.0 if mean is None else mean, 1.0 if std is None else std)
