"""What a rule of the protocol is, and what becomes of it when a server is asked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import grpc
from google.protobuf.message import DecodeError

from tests.conformance.subject import Broken, NotApplicable, Subject

Check = Callable[[Subject], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: where it stands, what it says, and the function that raises Broken when a server
    breaks it, or NotApplicable when it can't be checked with this model.
    """

    name: str
    section: str
    sentence: str
    extension: str
    changes_models: bool
    check: Check


class Outcome(StrEnum):
    """What becomes of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """A rule's outcome, and the reason unless it passed."""

    rule: Rule
    outcome: Outcome
    reason: str = ""


_RULES: dict[str, Rule] = {}


def rule(
    section: str, sentence: str, extension: str = "", changes_models: bool = False
) -> Callable[[Check], Check]:
    """Add the decorated function to the rules, under its module's and its own name.

    `section` and `sentence` say what the protocol has; a rule of an `extension` is for servers that
    list it; one that `changes_models` loads and unloads them.
    """

    def add(check: Check) -> Check:
        words = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        name = words.replace("_", "-")
        assert name not in _RULES, name
        _RULES[name] = Rule(name, section, sentence, extension, changes_models, check)
        return check

    return add


def rules() -> list[Rule]:
    """Return every rule of the modules that have been imported."""
    return list(_RULES.values())


def run(subject: Subject, chosen: Iterable[Rule]) -> Iterator[Result]:
    """Ask the server, rule by rule."""
    for one in chosen:
        try:
            _applies(subject, one)
            one.check(subject)
        except NotApplicable as reason:
            yield Result(one, Outcome.SKIPPED, str(reason))
        except Broken as error:
            yield Result(one, Outcome.FAILED, str(error))
        except grpc.RpcError as error:
            words = f"a call ended with {error.code().name}: {error.details()}"
            yield Result(one, Outcome.FAILED, words)
        except (DecodeError, LookupError, UnicodeError, ValueError) as error:
            words = f"the answer can't be read: {type(error).__name__}: {error}"
            yield Result(one, Outcome.FAILED, words)
        else:
            yield Result(one, Outcome.PASSED)


def _applies(subject: Subject, one: Rule) -> None:
    if one.extension and one.extension not in subject.extensions:
        raise NotApplicable(f"the server does not list the extension {one.extension}")
    if one.changes_models and not subject.may_change_models:
        raise NotApplicable("it loads and unloads the model; allow that with --change-models")
