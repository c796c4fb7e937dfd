"""What the telemetry knows of a loaded model."""

from typing import Protocol

from modelfile.reference import Reference


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
