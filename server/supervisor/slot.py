"""A place for a process: who has it, and when another may be tried after one that went wrong."""

from dataclasses import dataclass

from server.supervisor.process import Child

STABLE_SECONDS = 10.0
"""One that has done its work for so long was well; what came before it is forgotten."""

MAX_FAILED_STARTS = 5
BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 30.0
"""Before the second restart in a row, doubled for each further one; the first is at once."""


@dataclass(slots=True)
class Slot:
    """One of the numbered places; `successor` is who takes it from `child` as soon as it is ready.

    `restart_time` is by the parent's clock.
    """

    number: int
    child: Child | None
    successor: Child | None = None
    crashes: int = 0
    failed_starts: int = 0
    restart_time: float = 0.0

    @property
    def is_hopeless(self) -> bool:
        """Whether none gets so far as to do its work here."""
        return self.failed_starts >= MAX_FAILED_STARTS

    def note_end(self, now: float, ready_time: float | None) -> float:
        """Take note of one that has ended by itself, ready since then or never.

        Returns the seconds to wait for the restart.
        """
        if ready_time is None:
            self.failed_starts += 1
        else:
            self.failed_starts = 0
            if now - ready_time > STABLE_SECONDS:
                self.crashes = 0
        self.crashes += 1
        doubled = BACKOFF_SECONDS * 2.0 ** min(self.crashes - 2, 20)
        delay = min(doubled, MAX_BACKOFF_SECONDS) if self.crashes > 1 else 0.0
        self.restart_time = now + delay
        return delay
