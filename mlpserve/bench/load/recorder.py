"""What came of each call, as rows of whole numbers that are cheap to add and to hand over."""

import threading
from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

INTENDED, SENT, ENDED, CODE, IMAGES, WRONG = range(6)
"""Columns: three times in nanoseconds since the start, the status, images, and wrong labels."""

N_COLUMNS = 6
UNSENT = -1
"""In place of a status: the call had no place in flight."""

Rows = npt.NDArray[np.int64]


def read_rows(content: bytes) -> Rows:
    """Return rows (N, N_COLUMNS) that were handed over as bytes."""
    return np.frombuffer(content, np.int64).reshape(-1, N_COLUMNS)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a recorder has taken since the last time, and its calls in flight.

    `messages` are the details of the first call of each status but OK.
    """

    rows: bytes
    messages: dict[int, str]
    in_flight: int


class Recorder:
    """Counts calls in flight, and collects rows; threads that end calls may use it at once.

    One thread alone begins calls or looks for a place, except in a closed loop, which has as many
    in flight as callers.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rows = array("q")
        self._messages: dict[int, str] = {}
        self._said: set[int] = set()
        self._begun = self._ended = 0
        self._bytes_begun = self._bytes_ended = 0
        self._is_draining = False

    @property
    def begun(self) -> int:
        """How many calls were sent."""
        return self._begun

    def has_place(self, calls: int, n_bytes: int) -> bool:
        """Return whether fewer calls and fewer bytes than these are in flight."""
        return self._begun - self._ended < calls and self._bytes_begun - self._bytes_ended < n_bytes

    def begin(self, n_bytes: int) -> None:
        """Note that a call with a request of so many bytes is sent."""
        with self._changed:
            self._begun += 1
            self._bytes_begun += n_bytes

    def end(self, row: tuple[int, int, int, int, int, int], n_bytes: int) -> None:
        """Note what came of a call that was begun."""
        with self._changed:
            self._rows.extend(row)
            self._ended += 1
            self._bytes_ended += n_bytes
            if self._is_draining and self._ended == self._begun:
                self._changed.notify_all()

    def skip(self, intended: int, images: int) -> None:
        """Note that a call was not sent."""
        with self._changed:
            self._rows.extend((intended, 0, 0, UNSENT, images, 0))

    def explain(self, code: int, details: str) -> None:
        """Note what a status came with, of which one is kept."""
        with self._changed:
            if code not in self._said:
                self._said.add(code)
                self._messages[code] = details

    def take(self) -> Taken:
        """Return what was not taken before."""
        with self._changed:
            rows, self._rows = self._rows, array("q")
            messages, self._messages = self._messages, {}
            in_flight = self._begun - self._ended
        return Taken(rows.tobytes(), messages, in_flight)

    def wait_until_idle(self, timeout_seconds: float | None = None) -> bool:
        """Return whether all calls have ended, as soon as they have or after some seconds."""
        with self._changed:
            self._is_draining = True
            try:
                return self._changed.wait_for(lambda: self._ended == self._begun, timeout_seconds)
            finally:
                self._is_draining = False
