"""An evaluation as the JSON object that weights files and models carry and `--json` writes.

- `split`: the images measured, `train`, `validation` or `test`; `images`: how many
- `labels`: the name of each class
- `accuracy`, `standard_error`: of all images, in [0, 1]; they follow from `confusion`
- `confusion`: a row for each true class, in it the images that got each answer
- `confidence`: null when outputs needn't lie in [0, 1], else
  - `calibration_error`: of the brightest output, in [0, 1]; it follows from `bins`
  - `bins`: `images`, `correct`, `mean_output` for equal intervals of the brightest output
  - `without_bright_output`: images of which no output is above 0.5
- `mistakes`: the surest wrong answers: `image` (from 0), `truth`, `answer` (of `labels`, from 0),
  `activation`
- `robustness`: null when it wasn't measured, else
  - `distorted`: `distortion`, `images`, `correct`, `canonical_correct`
  - `out_of_distribution` (`strangers` in older records): images of no class: `kind`, `images`,
    `bright`, `canonical_bright` (with an output above 0.5); empty when outputs are no probabilities
- `data` (missing when unknown): `images_sha256` and `labels_sha256` of the files that the images
  are from, before compression, and `name`, which follows from them: `MNIST`, or `not MNIST`

Shares and activations are rounded, so that the last bits of a machine's sums don't show.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from exporter import network
from exporter.study.evaluation import Confidence, Evaluation, EvaluationError
from exporter.study.json_values import from_json

DIGITS = 6


def encode(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as a JSON object, the keys in the order above."""
    measured = evaluation.accuracy
    record = {
        "split": evaluation.split,
        "images": measured.n_images,
        "labels": list(evaluation.labels),
        "accuracy": measured.overall,
        "standard_error": measured.standard_error,
        "confusion": [list(row) for row in evaluation.confusion],
        "confidence": _encode_confidence(evaluation.confidence),
        "mistakes": [asdict(mistake) for mistake in evaluation.mistakes],
        "robustness": None,
    }
    if evaluation.data:
        record["data"] = {"name": evaluation.data.name, **asdict(evaluation.data)}
    if evaluation.robustness:
        record["robustness"] = asdict(evaluation.robustness)
    rounded: dict[str, Any] = _rounded(record)
    return rounded


def decode(record: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that `encode` wrote; raises EvaluationError for anything else."""
    try:
        # Older records lack `data`, and name out-of-distribution images differently.
        values = {"data": None, **record}
        if values.get("robustness"):
            robustness = {**values["robustness"]}
            if "strangers" in robustness:
                robustness["out_of_distribution"] = robustness.pop("strangers")
            values["robustness"] = robustness
        evaluation = from_json(Evaluation, values)
        _check(evaluation)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"evaluation: can't be read ({type(error).__name__}: {error})"
        ) from error
    return evaluation


def store(path: Path, measured: Evaluation) -> None:
    """Put an evaluation on the test images into a weights file; the rest of the file stays.

    Raises WeightsError when the file can't be used, OSError when it can't be written.
    """
    saved = network.load(path)
    accuracy = measured.accuracy
    provenance = {
        **saved.provenance,
        "test_accuracy": accuracy.overall,
        "test_correct": sum(accuracy.correct),
        "test_images": accuracy.n_images,
        **({"test_dataset": measured.data.name} if measured.data else {}),
    }
    network.save(
        path,
        saved.network,
        examples=saved.examples,
        provenance=provenance,
        evaluation=encode(measured),
        reference=saved.reference,
        image_layout=saved.image_layout,
        neuron_names=saved.neuron_names,
    )


def _encode_confidence(confidence: Confidence | None) -> dict[str, Any] | None:
    if confidence is None:
        return None
    # Rounded first, so that the error follows from the bins that are written.
    bins = (replace(row, mean_output=round(row.mean_output, DIGITS)) for row in confidence.bins)
    rounded = replace(confidence, bins=tuple(bins))
    return {"calibration_error": rounded.calibration_error, **asdict(rounded)}


def _check(evaluation: Evaluation) -> None:
    """Raise ValueError unless the parts of a record fit together."""
    n_classes, n_images = len(evaluation.labels), sum(map(sum, evaluation.confusion))
    if [len(row) for row in evaluation.confusion] != [n_classes] * n_classes:
        raise ValueError(f"confusion is not {n_classes} x {n_classes}, one for each label")
    if n_images < 1 or min(map(min, evaluation.confusion)) < 0:
        raise ValueError("confusion counts no images")
    if evaluation.confidence and sum(row.images for row in evaluation.confidence.bins) < 1:
        raise ValueError("bins count no images")
    for mistake in evaluation.mistakes:
        if not {mistake.truth, mistake.answer} <= set(range(n_classes)):
            raise ValueError(f"mistakes: image {mistake.image} has an unknown class")
    if evaluation.robustness:
        for row in evaluation.robustness.distorted:
            _check_counts(row.distortion, row.images, row.correct, row.canonical_correct)
        for kind in evaluation.robustness.out_of_distribution:
            _check_counts(kind.kind, kind.images, kind.bright, kind.canonical_bright)


def _check_counts(name: str, images: int, *parts: int) -> None:
    if images < 1 or min(parts) < 0 or max(parts) > images:
        raise ValueError(f"{name}: {parts} of {images} images")


def _rounded(value: Any) -> Any:
    """Return JSON values with every float rounded, tuples as lists."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise EvaluationError(f"evaluation: holds {value}; scale the weights down")
        return round(value, DIGITS)
    return value
