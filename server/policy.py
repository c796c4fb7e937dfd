"""Which versions of each model are served, and under which labels: what the settings say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from server.errors import StartupError

EVERY_MODEL = "*"
LABEL = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
"""What a label looks like; it can't be taken for a version."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which versions are wanted: the `newest` so many, or, when that is 0, the `numbers`."""

    newest: int
    numbers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many versions are wanted at most."""
        return self.newest or len(self.numbers)

    def candidates(self, versions: Iterable[int]) -> list[int]:
        """Return which of the versions to try, the newest first, until there are `count`."""
        return sorted((v for v in versions if self.newest or v in self.numbers), reverse=True)

    def __str__(self) -> str:
        """Return it as the setting has it."""
        return f"latest {self.newest}" if self.newest else ", ".join(map(str, self.numbers))


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of one model; `labels` have the versions that they point to."""

    choice: Choice
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Policies:
    """What the settings say of each model by its name, and under `EVERY_MODEL` of all others."""

    choices: Mapping[str, Choice]
    labels: Mapping[str, Mapping[str, int]]

    @property
    def named(self) -> list[str]:
        """The models that have settings of their own."""
        return sorted({*self.choices, *self.labels} - {EVERY_MODEL})

    def of(self, name: str) -> Policy:
        """Return the policy of a model."""
        return Policy(
            self.choices.get(name) or self.choices.get(EVERY_MODEL) or Choice(newest=1),
            self.labels.get(name) or self.labels.get(EVERY_MODEL) or {},
        )


def read_policies(versions: str, labels: str) -> Policies:
    """Return what the settings --versions and --labels say; raises StartupError."""
    choices = {name: _read_choice(part) for name, part in _by_model("versions", versions)}
    return Policies(
        choices, {name: _read_labels(part) for name, part in _by_model("labels", labels)}
    )


def _by_model(setting: str, text: str) -> Sequence[tuple[str, str]]:
    """Return models and what "PART; NAME: PART; ..." says of them."""
    parts: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, colon, said = part.partition(":")
        name, said = (name.strip(), said.strip()) if colon else (EVERY_MODEL, name.strip())
        if name in parts or not name or not said:
            raise _mistake(setting, part, "wanted is one part for each model, as NAME: PART")
        parts[name] = said
    return list(parts.items())


def _read_choice(text: str) -> Choice:
    words = text.split()
    if len(words) == 2 and words[0] == "latest" and _NUMBER.fullmatch(words[1]):
        return Choice(newest=int(words[1]))
    numbers = [number.strip() for number in text.split(",")]
    if not all(map(_NUMBER.fullmatch, numbers)):
        raise _mistake("versions", text, 'wanted is "latest N" or a list of versions such as 1, 3')
    return Choice(newest=0, numbers=tuple(sorted(set(map(int, numbers)))))


def _read_labels(text: str) -> dict[str, int]:
    labels: dict[str, int] = {}
    for pair in text.split(","):
        label, _, number = pair.strip().partition(" ")
        number = number.strip()
        if label in labels or not LABEL.fullmatch(label) or not _NUMBER.fullmatch(number):
            raise _mistake("labels", text, "wanted are labels with a version, as stable 1, next 2")
        labels[label] = int(number)
    return labels


def _mistake(setting: str, text: str, remedy: str) -> StartupError:
    return StartupError(f"--{setting}: {text!r} can't be used; {remedy}")
