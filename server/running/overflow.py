"""Requests whose numbers are in the model's range, but too large for its weights."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from server.errors import InvalidField
from server.models.model import Batch
from server.running.pixels import Part
from server.running.refusals import list_refused


def refuse_overflows(
    parts: Sequence[Part], activations: Batch, errors: Sequence[InvalidField | None]
) -> Sequence[InvalidField | None]:
    """Return the errors of a run's parts, with one for each part that has activations (N, classes)
    which are infinite or NaN: they have no label, and would spoil the metrics.
    """
    if np.isfinite(activations).all():
        return errors
    answerable = np.logical_and.reduce(np.isfinite(activations), axis=1)
    ends = accumulate(part.size for part in parts)
    return [
        error or _find_overflow(part, answerable[end - part.size : end])
        for part, end, error in zip(parts, ends, errors or [None] * len(parts), strict=True)
    ]


def _find_overflow(part: Part, is_finite: npt.NDArray[np.bool_]) -> InvalidField | None:
    """Return an error about a part's first image (N,) whose activations are not finite."""
    if is_finite.all():
        return None
    field = part.request.field
    return InvalidField(
        "overflow",
        f"{field}: image {is_finite.argmin()} makes activations overflow float32; send numbers in "
        "the range that the network was trained on",
        field,
        list_refused(~is_finite),
    )
