"""Which versions of each model are served, and under which labels, according to the settings."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelfile.layout import MAX_VERSION
from server.errors import StartupError

EVERY_MODEL = "*"
LABEL = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
"""The form of a label, which can't be mistaken for a version."""

MAX_PERCENT = 100

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_PAIRS = {
    "labels": "expected labels with a version, such as stable 1, next 2",
    "traffic": "expected labels with a weight, such as stable 95, canary 5",
    "shadow": "expected one label with a percentage, such as canary 10",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which versions to serve: the `newest`, as many as that, or, if it is 0, the `numbers`."""

    newest: int
    numbers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many versions to serve at most."""
        return self.newest or len(self.numbers)

    def candidates(self, versions: Iterable[int]) -> list[int]:
        """Return which of the versions to try, the newest first, until there are `count`."""
        return sorted((v for v in versions if self.newest or v in self.numbers), reverse=True)

    def __str__(self) -> str:
        """Return it as in the setting."""
        return f"latest {self.newest}" if self.newest else ", ".join(map(str, self.numbers))


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of one model.

    `labels` map to versions; `weights` are shares of the requests that name no version, by label or
    number; `shadow` is the percentage of requests that also run on a version, by its label or
    number.
    """

    choice: Choice
    labels: Mapping[str, int]
    weights: Mapping[str, int]
    shadow: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Policies:
    """The settings for each model by its name, and under `EVERY_MODEL` for all others."""

    choices: Mapping[str, Choice] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shadows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def named(self) -> list[str]:
        """The models that have settings of their own."""
        named = {*self.choices, *self.labels, *self.weights, *self.shadows}
        return sorted(named - {EVERY_MODEL})

    def policy(self, name: str) -> Policy:
        """Return the policy of a model."""
        return Policy(
            self.choices.get(name) or self.choices.get(EVERY_MODEL) or Choice(newest=1),
            self.labels.get(name) or self.labels.get(EVERY_MODEL) or {},
            self.weights.get(name) or self.weights.get(EVERY_MODEL) or {},
            self.shadows.get(name) or self.shadows.get(EVERY_MODEL) or {},
        )


def read_policies(versions: str, labels: str, traffic: str, shadow: str) -> Policies:
    """Parse the settings of these names; raises StartupError."""
    return Policies(
        {name: _read_choice(part) for name, part in _by_model("versions", versions)},
        _read_pairs("labels", labels),
        _read_pairs("traffic", traffic),
        _read_pairs("shadow", shadow),
    )


def _by_model(setting: str, text: str) -> Sequence[tuple[str, str]]:
    """Split "PART; NAME: PART; ..." into the models' names and their parts."""
    parts: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, colon, value = part.partition(":")
        name, value = (name.strip(), value.strip()) if colon else (EVERY_MODEL, name.strip())
        if name in parts or not name or not value:
            raise _mistake(
                setting, part, "expected one part for each model, in the form NAME: PART"
            )
        parts[name] = value
    return list(parts.items())


def _read_choice(text: str) -> Choice:
    words = text.split()
    if len(words) == 2 and words[0] == "latest" and _is_number(words[1]):
        return Choice(newest=int(words[1]))
    numbers = [number.strip() for number in text.split(",")]
    if not all(map(_is_number, numbers)):
        raise _mistake("versions", text, 'expected "latest N" or a list of versions such as 1, 3')
    return Choice(newest=0, numbers=tuple(sorted(set(map(int, numbers)))))


def _read_pairs(setting: str, text: str) -> dict[str, dict[str, int]]:
    """Parse "NAME NUMBER, NAME NUMBER" of each model; the names are labels, or numbers of versions
    where no labels are given.
    """
    by_model: dict[str, dict[str, int]] = {}
    for model, part in _by_model(setting, text):
        pairs = by_model[model] = {}
        for pair in part.split(","):
            name, _, number = pair.strip().partition(" ")
            number = number.strip()
            is_name = LABEL.fullmatch(name) or (setting != "labels" and _is_number(name))
            if name in pairs or not is_name or not _is_number(number):
                raise _mistake(setting, part, _PAIRS[setting])
            pairs[name] = int(number)
        if setting == "shadow" and (len(pairs) > 1 or max(pairs.values()) > MAX_PERCENT):
            raise _mistake(setting, part, _PAIRS[setting])
    return by_model


def _is_number(text: str) -> bool:
    """Whether a text is a valid version number."""
    return bool(_NUMBER.fullmatch(text)) and int(text) <= MAX_VERSION


def _mistake(setting: str, text: str, remedy: str) -> StartupError:
    return StartupError(f"--{setting}: {text!r} can't be used; {remedy}")
