"""Answers for people: a line for each image, and a drawing of pictures given by name."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from rich.console import Console
from rich.text import Text

from mlpserve.command.messages import printable
from mlpserve.command.predict.outputs.drawing import draw
from mlpserve.command.predict.rows import Answer, Failure, Name

_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}


@dataclass(frozen=True, slots=True)
class TextOutput:
    """Labels, runners-up and what the network saw, for a terminal or a file.

    `has_failures`: images without an answer have a line too.
    """

    console: Console
    has_failures: bool

    @classmethod
    def for_stream(cls, stream: TextIO) -> "TextOutput":
        """Return one in the colours that a stream can show."""
        return cls(Console(file=stream, **_PLAIN), has_failures=False)

    @classmethod
    def for_file(cls) -> "TextOutput":
        """Return one without colours, with a line for each image."""
        return cls(Console(file=io.StringIO(), color_system=None, **_PLAIN), has_failures=True)

    def answer(self, answer: Answer) -> str:
        """Return the lines of an answer."""
        return "".join(
            f"{self._render(text)}\n"
            for index, name in enumerate(answer.names)
            for text in self._describe(name, answer, index)
        )

    def fail(self, failure: Failure) -> str:
        """Return the lines of images that have no answer."""
        if not self.has_failures:
            return ""
        return "".join(f"{name}: no answer: {failure.reason}\n" for name in failure.names)

    def _describe(self, name: Name, answer: Answer, index: int) -> Iterator[Text]:
        """Yield what is to be told of one image."""
        prediction = answer.prediction
        activations = prediction.activations[index]
        best = int(prediction.labels[index])
        told = Text.assemble(
            f"{name}: ",
            (printable(prediction.label_names[best]), "bold"),
            f"  activation {activations[best]:.3f}",
        )
        others = [label for label in np.argsort(-activations, kind="stable") if label != best]
        if others:
            runner_up = others[0]
            label_name = printable(prediction.label_names[runner_up])
            told.append(f", then {label_name} with {activations[runner_up]:.3f}")
        told.append(f"  ({printable(prediction.model)}, version {prediction.version})", "dim")
        yield told
        drawing = answer.drawings[index] if answer.drawings else None
        if drawing is not None:
            yield draw(drawing, self.console)
        if (done := prediction.canonicalization) is not None:
            (height, width), (down, right) = done.scales[index], done.shifts[index]
            inverted = "inverted, " if done.inverted[index] else ""
            text = f"normalised: {inverted}height x {height:.2f}, width x {width:.2f}"
            yield Text(f"{text}, moved {down:+.1f} down and {right:+.1f} right")
        for number, layer in enumerate(prediction.hidden_layers, start=1):
            numbers = " ".join(f"{activation:.2f}" for activation in layer[index])
            yield Text(f"hidden layer {number}: {numbers}")

    def _render(self, text: Text) -> str:
        if self.console.color_system is None:
            # The same, thirty times as fast.
            return text.plain
        with self.console.capture() as capture:
            self.console.print(text, end="")
        return capture.get()
