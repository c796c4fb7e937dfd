"""An evaluation written as JSON comes back, and what is no evaluation is explained."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.study import records
from exporter.study.evaluation import EvaluationError, Mistake
from tests.exporter.evaluations import EVALUATION


def test_what_is_written_comes_back() -> None:
    written = json.loads(json.dumps(records.encode(EVALUATION), allow_nan=False))
    found = records.decode(written)
    assert found.confusion == EVALUATION.confusion
    assert found.robustness == EVALUATION.robustness
    assert found.labels == EVALUATION.labels
    assert found.mistakes[0] == Mistake(7, 2, 0, 0.987654)
    assert found.confidence is not None
    assert EVALUATION.confidence is not None
    assert found.confidence.calibration_error == pytest.approx(
        EVALUATION.confidence.calibration_error, abs=1e-6
    )
    assert records.encode(found) == written, "rounded once and for all"


def test_figures_for_readers_who_do_not_count() -> None:
    written = records.encode(EVALUATION)
    assert (written["split"], written["images"]) == ("test", 220)
    assert written["accuracy"] == round(190 / 220, 6)
    assert written["standard_error"] == round(math.sqrt(190 / 220 * 30 / 220 / 220), 6)
    wanted = (abs(8 - 20 * 0.25) + abs(182 - 200 * 0.912346)) / 220
    assert written["confidence"]["calibration_error"] == round(wanted, 6)


def test_what_was_not_measured_is_null() -> None:
    bare = replace(EVALUATION, confidence=None, robustness=None, mistakes=())
    written = records.encode(bare)
    assert written["confidence"] is None
    assert written["robustness"] is None
    assert records.decode(written) == bare


def test_activations_that_overflowed() -> None:
    infinite = replace(EVALUATION, mistakes=(Mistake(0, 1, 0, float("inf")),))
    with pytest.raises(EvaluationError, match="holds inf; scale the weights down"):
        records.encode(infinite)


def test_what_was_measured_is_told_by_checksums() -> None:
    """And its name follows from them, whatever a file says."""
    written = records.encode(EVALUATION)
    checksums = {"images_sha256": "ab" * 32, "labels_sha256": "cd" * 32}
    assert written["data"] == {"name": "not MNIST", **checksums}
    written["data"]["name"] = "MNIST"
    found = records.decode(written)
    assert found.data == EVALUATION.data
    assert found.data is not None
    assert found.data.name == "not MNIST"


def test_records_that_did_not_say_what_was_measured() -> None:
    written = records.encode(EVALUATION)
    del written["data"]
    assert records.decode(written) == records.decode(records.encode(replace(EVALUATION, data=None)))


def test_records_with_the_old_name_of_out_of_distribution_images() -> None:
    written = records.encode(EVALUATION)
    images = written["robustness"].pop("out_of_distribution")
    written["robustness"]["strangers"] = images
    assert images
    assert records.decode(written).robustness == EVALUATION.robustness


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record.pop("confusion"), "KeyError: 'confusion'"),
        (lambda record: record.update(confusion=3), "TypeError"),
        (lambda record: record.update(confusion=[["a"]]), "ValueError: invalid literal"),
        (lambda record: record["labels"].pop(), "confusion is not 2 x 2, one for each label"),
        (lambda record: record["confusion"][0].pop(), "confusion is not 3 x 3"),
        (lambda record: record.update(confusion=[], labels=[]), "confusion counts no images"),
        (lambda record: record.update(confusion=[[0] * 3] * 3), "confusion counts no images"),
        (lambda record: record["confusion"][0].__setitem__(1, -1), "confusion counts no images"),
        (lambda record: record["confidence"].update(bins=[]), "bins count no images"),
        (lambda record: record["mistakes"][0].update(answer=3), "image 7 has an unknown class"),
        (lambda record: record["mistakes"][0].update(answer=-1), "image 7 has an unknown class"),
        (
            lambda record: record["robustness"]["distorted"][0].update(correct=221),
            "clean: (221, 191) of 220 images",
        ),
        (
            lambda record: record["robustness"]["out_of_distribution"][0].update(images=0),
            "clouds: (49, 5) of 0 images",
        ),
        (lambda record: record.update(robustness=[1]), "TypeError"),
    ],
)
def test_what_is_no_evaluation_is_explained(change: Change, message: str) -> None:
    record = records.encode(EVALUATION)
    change(record)
    with pytest.raises(EvaluationError) as raised:
        records.decode(record)
    assert message in str(raised.value)
