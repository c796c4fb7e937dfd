"""The slot of a process: which process has it, and when a restart may be tried."""

from dataclasses import dataclass

from server.supervisor.process import Child

STABLE_SECONDS = 10.0
"""A process that was ready for so long counts as stable; earlier crashes are forgotten."""

MAX_FAILED_STARTS = 5
BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 30.0
"""The pause before the second restart in a row, doubled for each further one, and its maximum."""


@dataclass(slots=True)
class Slot:
    """A numbered slot; `successor` replaces `child` as soon as it is ready.

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
        """Whether no process gets ready here."""
        return self.failed_starts >= MAX_FAILED_STARTS

    def note_end(self, now: float, ready_time: float | None) -> float:
        """Note that a process has exited by itself, which was ready since `ready_time` or never.

        Returns the pause before the restart, in seconds.
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
