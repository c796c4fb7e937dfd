"""Loading and unloading a model on request, and the outcome, as workers report it to each other."""

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Literal

import structlog

from server.errors import INTERNAL_MESSAGE, NotLoaded, StartupError
from server.reasons.requests import RequestReason

log = structlog.get_logger()

LOAD, UNLOAD = "load", "unload"

STOPPING = "the server is stopping"
"""Why something was not done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a change was not made, as an error's reason and message, which are empty when it was;
    `known` are the models that a wrong name could have meant.
    """

    reason: RequestReason | Literal[""] = ""
    message: str = ""
    known: str = ""

    def pack(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()


def unpack(packed: bytes) -> Outcome:
    """Return the outcome that `pack` encoded."""
    return Outcome(**json.loads(packed))


@dataclass(frozen=True, slots=True)
class Change:
    """A model to load or unload; `outcome` is set when that has been done."""

    kind: str
    name: str
    outcome: "Future[Outcome]"

    def make(self, act: Callable[[str], str]) -> None:
        """Call `act` with the name, which returns why it failed, empty if it did not."""
        outcome = Outcome("internal", INTERNAL_MESSAGE)
        try:
            if problem := act(self.name):
                outcome = Outcome("not_ready" if problem == STOPPING else "load_failed", problem)
            else:
                outcome = Outcome()
        except NotLoaded as error:
            outcome = Outcome(error.reason, error.message, error.known["models"])
        except StartupError as error:
            outcome = Outcome("load_failed", str(error))
        except Exception:
            log.exception("a change of the models failed", change=self.kind, model=self.name)
        finally:
            self.outcome.set_result(outcome)
