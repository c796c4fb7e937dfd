"""Prints the answers about pictures, for people and for programs."""

from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from mlpserve.command.predict.asking import Picture
from mlpserve.command.predict.drawing import draw
from mlpserve.command.predict.files import printable
from mlpserve.prediction import Prediction


def describe(picture: Picture, prediction: Prediction, index: int) -> dict[str, Any]:
    """Return what --json prints of one image."""
    label = int(prediction.labels[index])
    activations = prediction.activations[index]
    described = {
        "image": picture.name,
        "label": label,
        "name": prediction.label_names[label],
        "activation": _shorten(activations[label]),
        "activations": dict(zip(prediction.label_names, map(_shorten, activations), strict=True)),
        "hidden_layers": [list(map(_shorten, layer[index])) for layer in prediction.hidden_layers],
        "model": prediction.model,
        "version": prediction.version,
    }
    if (done := prediction.canonicalization) is not None:
        described["canonicalization"] = {
            "inverted": bool(done.inverted[index]),
            "scales": list(map(_shorten, done.scales[index])),
            "shifts": list(map(_shorten, done.shifts[index])),
        }
    return described


def show(picture: Picture, prediction: Prediction, index: int, console: Console) -> None:
    """Print the answer for people: the label, the runner-up and what the network saw."""
    activations = prediction.activations[index]
    best = int(prediction.labels[index])
    answer = Text.assemble(
        f"{picture.name}: ",
        (printable(prediction.label_names[best]), "bold"),
        f"  activation {activations[best]:.3f}",
    )
    others = [label for label in np.argsort(-activations, kind="stable") if label != best]
    if others:
        runner_up = others[0]
        name = printable(prediction.label_names[runner_up])
        answer.append(f", then {name} with {activations[runner_up]:.3f}")
    answer.append(f"  ({printable(prediction.model)}, version {prediction.version})", "dim")
    console.print(answer)
    console.print(draw(picture.image, console))
    if (done := prediction.canonicalization) is not None:
        (height, width), (down, right) = done.scales[index], done.shifts[index]
        inverted = "inverted, " if done.inverted[index] else ""
        text = f"normalised: {inverted}height x {height:.2f}, width x {width:.2f}"
        console.print(Text(f"{text}, moved {down:+.1f} down and {right:+.1f} right"))
    for number, layer in enumerate(prediction.hidden_layers, start=1):
        numbers = " ".join(f"{activation:.2f}" for activation in layer[index])
        console.print(Text(f"hidden layer {number}: {numbers}"))


def _shorten(activation: np.float32) -> float:
    """Return a float32 as the shortest float that says as much."""
    return float(str(activation))
