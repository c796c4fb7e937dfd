"""Asks a server about images, several calls at once, so that no image costs another its answer."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from mlpserve.client import Client
from mlpserve.command.messages import explain
from mlpserve.command.predict.rows import Answer, Failure, Outcome, Part
from mlpserve.errors import InvalidRequest, MlpserveError, Overloaded, Unavailable
from mlpserve.prediction import Prediction

N_IN_FLIGHT = 4
"""Calls at once: while some are answered, the next images are read."""

PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between calls with the same images while a server has too much to do, or restarts."""

MANY = 64
"""If the server refuses each of so many images, one reason is told, not all."""

Outcomes = Sequence[Outcome]
"""What became of a part, its images in order."""


@dataclass(slots=True)
class Asker:
    """Asks about parts, with the options of `Client.predict`.

    The version of the model that answers first is asked for all that follows.
    """

    client: Client
    options: dict[str, Any]
    is_pinned: bool = field(default=False, init=False)
    stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def ask_all(self, parts: Iterable[Part | Failure]) -> Generator[Outcomes]:
        """Yield what becomes of each part, in order; failures pass through.

        At most `N_IN_FLIGHT` parts are asked about at once, and no more are in memory; one until
        there is an answer.
        """
        waiting: deque[Future[Outcomes] | Failure] = deque()
        pool = ThreadPoolExecutor(N_IN_FLIGHT)
        try:
            for part in parts:
                waiting.append(part if isinstance(part, Failure) else pool.submit(self.ask, part))
                while waiting and (not self._has_room(len(waiting)) or _is_done(waiting[0])):
                    outcomes = _outcomes(waiting.popleft())
                    self._pin(outcomes)
                    yield outcomes
            while waiting:
                yield _outcomes(waiting.popleft())
        finally:
            self.stopped.set()
            # Who closes the client ends the calls.
            pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, part: Part) -> Outcomes:
        """Ask about a part in one call; if the server refuses it, about smaller ones."""
        outcomes = self._ask(part)
        first = outcomes[0]
        if len(outcomes) < MANY or not isinstance(first, Failure) or _has_answer(outcomes):
            return outcomes
        n_images = len(part.names)
        reason = f"none of these {n_images} images can be answered; the first: {first.reason}"
        return [replace(first, names=part.names, reason=reason)]

    def _ask(self, part: Part) -> Outcomes:
        """Ask about a part, or its halves, until the images that are refused stand alone."""
        try:
            prediction = self._predict(part)
        except InvalidRequest as error:
            if len(part.names) == 1:
                return [Failure(part.names, explain(error), was_sent=True)]
            first, second = part.halves()
            outcomes = [*self._ask(first), *self._ask(second)]
            reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Failure)}
            if len(reasons) == 1 and not _has_answer(outcomes):
                # It is not the images: say it once.
                return [replace(outcomes[0], names=part.names)]
            return outcomes
        except (MlpserveError, ValueError) as error:
            return [Failure(part.names, explain(error), was_sent=True, is_theirs=False)]
        return [Answer(part.names, prediction, part.drawings)]

    def _has_room(self, n_waiting: int) -> bool:
        return n_waiting < (N_IN_FLIGHT if self.is_pinned else 1)

    def _pin(self, outcomes: Outcomes) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Answer) and not self.is_pinned:
                first = outcome.prediction
                self.options |= {"model": first.model, "version": first.version}
                self.is_pinned = True

    def _predict(self, part: Part) -> Prediction:
        """Ask in one call, and once more while the server can't answer at the moment."""
        for pause_seconds in PAUSES_SECONDS:
            try:
                return self.client.predict(part.images, **self.options)
            except (Overloaded, Unavailable) as error:
                wanted_seconds = getattr(error, "retry_after_seconds", None) or 0.0
                if self.stopped.wait(max(pause_seconds, wanted_seconds)):
                    raise
        return self.client.predict(part.images, **self.options)


def _has_answer(outcomes: Outcomes) -> bool:
    return any(isinstance(outcome, Answer) for outcome in outcomes)


def _is_done(waiting: "Future[Outcomes] | Failure") -> bool:
    return isinstance(waiting, Failure) or waiting.done()


def _outcomes(waiting: "Future[Outcomes] | Failure") -> Outcomes:
    return [waiting] if isinstance(waiting, Failure) else waiting.result()
