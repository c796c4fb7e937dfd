"""The model that is asked, of which the server tells once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import click

from mlpserve.client import Client
from mlpserve.command.messages import explain, printable
from mlpserve.errors import MlpserveError
from mlpserve.expected_images import Expected, NoImages, expect_pictures
from mlpserve.models import Model, ModelVersion, find_model


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


def find_version(models: Sequence[Model], name: str, number: int) -> tuple[Model, ModelVersion]:
    """Return a model, and the version of it that is asked, of those that a server lists.

    `name` may be empty for the server's default, `number` 0 for the newest. Raises NoImages when
    there is no such model or version.
    """
    model = _find_model(models, name)
    return model, _find_version(model, number)


def _find_model(models: Sequence[Model], name: str) -> Model:
    model = find_model(models, name)
    if model is not None:
        return model
    names = ", ".join(model.name for model in models) or "none"
    if name:
        raise NoImages(f"there is no model {name!r}; give --model one of: {names}")
    raise NoImages(f"the server has no default model; give --model one of: {names}")


def _find_version(model: Model, number: int) -> ModelVersion:
    wanted = number or model.default_version
    for version in model.versions:
        if version.version == wanted and version.is_loaded and version.layer_sizes:
            return version
    loaded = ", ".join(str(version.version) for version in model.versions if version.is_loaded)
    if not loaded:
        raise NoImages(f"{model.name} has no version that is loaded; give another --model")
    raise NoImages(f"{model.name} has no version {wanted}; give --version one of: {loaded}")
