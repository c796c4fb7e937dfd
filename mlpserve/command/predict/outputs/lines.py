"""Answers for programs: JSON and CSV, a line for each image."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpserve.command.messages import printable
from mlpserve.command.predict.rows import Answer, Failure, Name
from mlpserve.prediction import Prediction


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """A JSON object for each image; one that has no answer has `error` instead of a label.

    `has_failures`: such images have an object too.
    """

    has_failures: bool

    def answer(self, answer: Answer) -> str:
        """Return the lines of an answer."""
        return "".join(
            f"{json.dumps(_describe(name, answer.prediction, index))}\n"
            for index, name in enumerate(answer.names)
        )

    def fail(self, failure: Failure) -> str:
        """Return the lines of images that have no answer."""
        if not self.has_failures:
            return ""
        return "".join(
            f"{json.dumps(_describe_name(name) | {'error': failure.reason})}\n"
            for name in failure.names
        )


@dataclass(frozen=True, slots=True)
class CsvOutput:
    """A row for each image, with the columns that `header` names.

    An image that has no answer has an `error`, and nothing where the label would be.
    """

    label_names: Sequence[str]

    def header(self) -> str:
        """Return the first line."""
        activations = (f"activation_{printable(name)}" for name in self.label_names)
        names = ("image", "index", "label", "name", "activation")
        return _write_rows([[*names, *activations, "model", "version", "error"]])

    def answer(self, answer: Answer) -> str:
        """Return the lines of an answer."""
        prediction = answer.prediction
        names = list(map(printable, prediction.label_names))
        last = [printable(prediction.model), prediction.version, ""]
        rows = []
        for name, label, activations in zip(
            answer.names, prediction.labels.tolist(), prediction.activations, strict=True
        ):
            texts = list(map(str, activations))
            rows.append([*name, label, names[label], texts[label], *texts, *last])
        return _write_rows(rows)

    def fail(self, failure: Failure) -> str:
        """Return the lines of images that have no answer."""
        blank = [""] * (3 + len(self.label_names) + 2)
        return _write_rows([*name, *blank, failure.reason] for name in failure.names)


def _describe(name: Name, prediction: Prediction, index: int) -> dict[str, Any]:
    label = int(prediction.labels[index])
    activations = _shorten(prediction.activations[index])
    described = {
        **_describe_name(name),
        "label": label,
        "name": prediction.label_names[label],
        "activation": activations[label],
        "activations": dict(zip(prediction.label_names, activations, strict=True)),
        "hidden_layers": [_shorten(layer[index]) for layer in prediction.hidden_layers],
        "model": prediction.model,
        "version": prediction.version,
    }
    if (done := prediction.canonicalization) is not None:
        described["canonicalization"] = {
            "inverted": bool(done.inverted[index]),
            "scales": _shorten(done.scales[index]),
            "shifts": _shorten(done.shifts[index]),
        }
    return described


def _describe_name(name: Name) -> dict[str, Any]:
    place = {} if name.place is None else {"index": name.place}
    return {"image": name.file, **place}


def _shorten(activations: npt.NDArray[np.float32]) -> list[float]:
    """Return float32s as the shortest floats that say as much."""
    return [float(str(activation)) for activation in activations]


def _write_rows(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
