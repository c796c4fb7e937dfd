"""Asks all workers, whichever of them has the call."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from server.errors import NotReady
from server.texts import listed

AskAll = Callable[[str, str, float], Sequence[tuple[int, bytes | None]]]
"""Asks all workers about a subject and, perhaps, a name; returns what each, by its number, answers
within some seconds, None if it does not. Raises TimeoutError when the parent does not answer.
"""

A = TypeVar("A")


def ask_each(
    ask_all: AskAll, subject: str, name: str, seconds: float, remedy: str
) -> list[tuple[int, bytes]]:
    """Return the answers of all workers, by their numbers; raises NotReady if one has none."""
    try:
        answers = ask_all(subject, name, seconds)
    except TimeoutError:
        raise NotReady(
            "unanswered", f"the server's parent process has not answered; {remedy}"
        ) from None
    silent = [str(number) for number, answer in answers if answer is None]
    if silent:
        have = "have" if len(silent) > 1 else "has"
        raise NotReady(
            "unanswered", f"{workers(silent)} {have} not answered within {seconds:g} s; {remedy}"
        )
    return [(number, answer) for number, answer in answers if answer is not None]


def workers(numbers: Sequence[str]) -> str:
    """Return what workers are called in messages."""
    return f"worker{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


class Shared(Generic[A]):
    """Asks one question at a time, with a pause after each, for all threads that wait for one.

    However many ask, others pay for no more than that. Each gets an answer to a question that was
    asked after it came.
    """

    def __init__(self, ask: Callable[[], A], pause_seconds: float) -> None:
        self._ask, self._pause_seconds = ask, pause_seconds
        self._next: Future[A] | None = None
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._end_time = 0.0

    def get(self) -> A:
        """Return the answer; raises what asking raises."""
        with self._lock:
            answer, is_first = self._next, self._next is None
            if answer is None:
                answer = self._next = Future()
        if is_first:
            self._ask_for_all(answer)
        return answer.result()

    def _ask_for_all(self, answer: "Future[A]") -> None:
        with self._asking:
            time.sleep(max(0.0, self._end_time + self._pause_seconds - time.monotonic()))
            with self._lock:
                # Calls that come from now on might miss what has just been answered.
                self._next = None
            try:
                answer.set_result(self._ask())
            except BaseException as error:  # noqa: BLE001  # raised where it is waited for
                answer.set_exception(error)
            self._end_time = time.monotonic()
