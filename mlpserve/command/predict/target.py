"""The model that is asked, of which the server tells once."""

from dataclasses import dataclass, field
from functools import cached_property

import click

from mlpserve.client import Client
from mlpserve.command.messages import explain, printable
from mlpserve.command.predict.expected import (
    Expected,
    NoImages,
    expect_pictures,
    find_version,
)
from mlpserve.errors import MlpserveError
from mlpserve.models import Model, ModelVersion


@dataclass(frozen=True)
class Target:
    """A model's name, empty for the default, and version, 0 for the newest.

    `side` overrides the rows and columns of images. What isn't known is asked for when it is
    needed first, and ends the command when the server doesn't know.
    """

    client: Client = field(repr=False)
    model: str
    version: int
    side: int | None

    @property
    def n_pixels(self) -> int:
        """The numbers that one image has."""
        return self._found[1].layer_sizes[0]

    @property
    def takes_pixels(self) -> bool:
        """Whether these numbers are pixels in [0, 1]."""
        return self._found[1].input_range in ("", "[0, 1]")

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        version = self._found[1]
        return version.label_names or tuple(map(str, range(version.layer_sizes[-1])))

    @cached_property
    def pictures(self) -> Expected:
        """The images that it wants made of pictures."""
        try:
            return expect_pictures(*self._found, self.side)
        except NoImages as error:
            raise click.ClickException(printable(str(error))) from error

    @cached_property
    def _found(self) -> tuple[Model, ModelVersion]:
        try:
            return find_version(self.client.list_models(), self.model, self.version)
        except MlpserveError as error:
            raise click.ClickException(explain(error)) from error
        except NoImages as error:
            raise click.ClickException(printable(str(error))) from error
