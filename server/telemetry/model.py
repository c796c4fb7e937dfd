"""What the telemetry knows of a loaded model."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Reference(Protocol):
    """The distributions of the training images: by their names, the ascending bounds of the bins,
    and the share of images in each bin, empty when unknown.
    """

    @property
    def bounds(self) -> Mapping[str, Sequence[float]]:
        """For `winning_activation`, `margin` and `ink`."""

    @property
    def shares(self) -> Mapping[str, Mapping[str, float]]:
        """For these and `labels`, by the bins' names."""


class Model(Protocol):
    """A version of a model."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> int:
        """The version's number."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes."""

    @property
    def n_pixels(self) -> int:
        """Pixels of one image."""

    @property
    def reference(self) -> Reference:
        """What its training images looked like."""
