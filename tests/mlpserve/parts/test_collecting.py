"""Predictions of parts put together are those of all images."""

import numpy as np
import numpy.typing as npt
import pytest

from mlpserve import Canonicalization, InvalidResponse, Prediction
from mlpserve.parts.collecting import Collector

RANDOM = np.random.default_rng(8)


def predict(n_images: int, version: int = 1, n_classes: int = 4) -> Prediction:
    def table(n_columns: int) -> npt.NDArray[np.float32]:
        return RANDOM.random((n_images, n_columns), dtype=np.float32)

    return Prediction(
        RANDOM.integers(0, n_classes, n_images),
        table(n_classes),
        tuple("abcdefgh"[:n_classes]),
        "m",
        version,
        (table(3), table(2)),
        Canonicalization(
            RANDOM.integers(0, 2, n_images).astype(bool), table(2), table(2), table(9)
        ),
    )


@pytest.mark.parametrize("known", [None, 0, 5, 34, 100])
@pytest.mark.parametrize("sizes", [[7], [5, 29], [1] * 34, [10, 1, 10, 1, 10, 1, 1]])
def test_all_rows_are_there(sizes: list[int], known: int | None) -> None:
    collector, parts = Collector(known), [predict(size) for size in sizes]
    # The collector may use the first one's memory.
    labels = np.concatenate([part.labels for part in parts])
    hidden = np.concatenate([part.hidden_layers[1] for part in parts])
    activations = np.concatenate([part.activations for part in parts])
    done = [part.canonicalization for part in parts]
    inverted = np.concatenate([each.inverted for each in done if each])
    shifts = np.concatenate([each.shifts for each in done if each])
    seen = np.concatenate([each.pixels for each in done if each and each.pixels is not None])
    for part in parts:
        collector.add(part)
    whole = collector.result()
    assert len(whole) == sum(sizes)
    np.testing.assert_array_equal(whole.labels, labels)
    np.testing.assert_array_equal(whole.activations, activations)
    np.testing.assert_array_equal(whole.hidden_layers[1], hidden)
    assert whole.canonicalization is not None
    np.testing.assert_array_equal(whole.canonicalization.inverted, inverted)
    np.testing.assert_array_equal(whole.canonicalization.shifts, shifts)
    assert whole.canonicalization.pixels is not None
    np.testing.assert_array_equal(whole.canonicalization.pixels, seen)
    assert (whole.labels.dtype.name, whole.activations.dtype.name) == ("int64", "float32")
    assert whole.canonicalization.inverted.dtype == np.bool_
    assert (whole.label_names, whole.model, whole.version) == (tuple("abcd"), "m", 1)


@pytest.mark.parametrize("other", [predict(2, version=2), predict(2, n_classes=5)])
def test_answers_of_different_models_are_not_mixed(other: Prediction) -> None:
    collector = Collector()
    collector.add(predict(3))
    with pytest.raises(InvalidResponse, match="answers differently from before"):
        collector.add(other)
