"""The models that are loaded: by name, version and label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from server.errors import NotLoaded
from server.models.model import Model
from server.models.traffic import Caller, Shadowing, Split
from server.reasons.requests import RequestReason
from server.texts import listed, quoted


@dataclass(frozen=True, slots=True)
class Versions:
    """The loaded versions of one model, by number, ascending, and by label; at least one.

    A `split` spreads the requests that name no version, which otherwise go to the newest;
    `shadowing` names a version that also runs some of the requests.
    """

    by_number: Mapping[int, Model]
    by_label: Mapping[str, Model]
    newest: Model
    split: Split | None = None
    shadowing: Shadowing | None = None

    def find(self, version: int, label: str) -> Model:
        """Return the version that has the label, if that is not empty, or else the number.

        Raises NotLoaded, saying what is loaded.
        """
        model = self.by_label.get(label) if label else self.by_number.get(version)
        if model is not None:
            return model
        name = self.newest.name
        numbers = listed(map(str, self.by_number), str(version))
        labels = listed(
            (f"{known} ({model.version})" for known, model in self.by_label.items()), label
        )
        known = {"model": name, "versions": numbers} | ({"labels": labels} if labels else {})
        if label:
            remedy = f"the label {labels}, or for version" if labels else "version"
            raise NotLoaded(
                "label_not_found",
                f"label: model {name!r} has no label {quoted(label)}; ask for {remedy} {numbers}",
                known,
            )
        remedy = numbers if len(self.by_number) == 1 else f"one of {numbers}"
        aside = f"; labels: {labels}" if labels else ""
        raise NotLoaded(
            "version_not_found",
            f"version: model {name!r} has no version {version} loaded; ask for {remedy}, or for 0 "
            f"to get the newest{aside}",
            known,
        )


@dataclass(frozen=True, slots=True)
class Models:
    """The loaded models by name, and the name that an empty one stands for, if any.

    `errors` says by name and version why versions are not loaded, or what is wrong with the files
    of some that are; version 0 stands for one without a valid number. `unserved` says in the same
    way why others on disk are not wanted. `unloaded` are models that a caller has unloaded, with
    their versions on disk. `are_shadowed` tells whether some model has `shadowing`, `are_spread`
    whether some has a `split`.
    """

    by_name: Mapping[str, Versions]
    default: str | None
    errors: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    unserved: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    are_shadowed: bool = False
    are_spread: bool = False
    unloaded: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Model]:
        """Return every loaded version of every model."""
        for versions in self.by_name.values():
            yield from versions.by_number.values()

    def find(self, name: str, version: int, label: str = "", caller: Caller | None = None) -> Model:
        """Return the model for a request; an empty name is the default model, version 0 the newest.

        A label stands for a version. Where the settings spread the requests that name neither over
        versions, those of a caller are spread. Raises NotLoaded, saying what is loaded.
        """
        versions = self.by_name.get(name or self.default or "")
        if versions is None:
            raise self._not_loaded(name)
        if version or label:
            return versions.find(version, label)
        if versions.split is not None and caller is not None:
            return versions.split.choose(caller)
        return versions.newest

    def _not_loaded(self, name: str) -> NotLoaded:
        """Return why there is no such model."""
        loaded = listed(sorted(self.by_name), name)
        remedy = f"name one of: {loaded}" if loaded else "no other is loaded"
        wanted = name or self.default or ""
        reason: RequestReason = "model_not_found"
        if wanted in self.unloaded:
            reason = "model_unloaded"
            asked = f"model {quoted(wanted)} is unloaded"
            remedy = f"load it with RepositoryModelLoad, or {remedy}"
        elif name:
            asked = f"model {quoted(name)} is not loaded"
        elif wanted:
            asked = f"no model is named, and the default {quoted(wanted)} is not loaded"
        else:
            asked = "no model is named and there is no default"
        return NotLoaded(reason, f"model: {asked}; {remedy}", {"models": loaded})
