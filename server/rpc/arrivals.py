"""Decides whose messages may arrive: only some at once, as each may need the memory of the largest.

As long as no message stalls, calls get places in the order of their arrival. Once one stalls while
others wait, places are shared fairly among connections: none holds more than half of them, those
that wait take turns, messages that took too long are given up together, and their connections come
last for a while. The messages of calls that have ended count until they are gone: with them, there
are never more than twice the places.
"""

from collections import deque
from typing import Generic, Protocol, TypeVar

STALL_SECONDS = 0.01
"""How long a message may take to arrive before places are shared among connections."""

GREEDY_SECONDS = 0.5
"""How long a message beyond its connection's share may take. A process that got no core for a while
must not mistake its callers for stalled.
"""

MIN_PATIENCE_SECONDS = 0.05
"""The time that each message is given, however many connections wait."""

SUSPECT_SECONDS = 30.0
"""How long a connection that has kept a place too long is served last."""

MAX_SUSPECTS = 4096

END_SECONDS = 1.0
"""How long the message of a call that has ended may still be there."""


class Arriving(Protocol):
    """A call whose message has not arrived."""

    @property
    def peer(self) -> str:
        """The connection that it came by."""
        ...


C = TypeVar("C", bound=Arriving)


class Arrivals(Generic[C]):
    """The calls whose messages are arriving, and those that wait for a place.

    `now` is always the time by time.perf_counter.
    """

    def __init__(self, places: int, patience_seconds: float) -> None:
        """`patience_seconds` is how long a message may take while others wait; less when more
        connections wait than there are places, so that each has its turn within that time.
        """
        self._places = places
        self._share = max(1, places // 2)
        self._patience_seconds = patience_seconds
        # By when they began, and so in that order.
        self._arriving: dict[C, float] = {}
        # By when they ended.
        self._ending: dict[C, float] = {}
        self._waiting: deque[C] = deque()
        # The same calls by connection, in the order of their turns; used from when a message has
        # stalled until no call waits.
        self._turns: dict[str, deque[C]] = {}
        self._suspects: dict[str, float] = {}

    @property
    def is_contended(self) -> bool:
        """Whether any call waits for a place."""
        return bool(self._waiting or self._turns)

    @property
    def is_stalled(self) -> bool:
        """Whether they wait because a message has stalled."""
        return bool(self._turns)

    def enter(self, call: C, now: float) -> bool:
        """Add a call; returns whether its message may arrive at once."""
        if not self._turns and self._has_place():
            self._arriving[call] = now
            return True
        self.wait(call)
        return False

    def wait(self, call: C) -> None:
        """Let a call wait for a place, even if one is free."""
        if self._turns:
            self._turns.setdefault(call.peer, deque()).append(call)
        else:
            self._waiting.append(call)

    def leave(self, call: C) -> None:
        """Forget a call whose message has arrived, or never will."""
        self._arriving.pop(call, None)
        self._ending.pop(call, None)

    def next(self, now: float) -> C | None:
        """Return the next call whose message may arrive, which then has a place."""
        if not self._has_place():
            return None
        if self._waiting:
            call = self._waiting.popleft()
        elif self._turns:
            peer = self._choose(now)
            if peer is None:
                return None
            calls = self._turns.pop(peer)
            call = calls.popleft()
            if calls:
                # Behind the others.
                self._turns[peer] = calls
        else:
            return None
        self._arriving[call] = now
        return call

    def give_up(self, now: float) -> list[C]:
        """Return the calls that have kept others waiting for too long, which lose their places.

        Each has to leave once its message is gone.
        """
        if not self.is_contended or not self._arriving:
            return []
        stalled = [call for call, begin in self._arriving.items() if now - begin > STALL_SECONDS]
        if not stalled:
            return []
        self._share_places()
        held = self._held()
        connections = len(self._turns)
        patience = self._patience_seconds * min(1.0, self._places / connections)
        patience = max(MIN_PATIENCE_SECONDS, patience)
        given_up = []
        for call in stalled:
            seconds = now - self._arriving[call]
            is_greedy = held[call.peer] > self._share and self._turns.keys() != {call.peer}
            if seconds > patience or (is_greedy and seconds > GREEDY_SECONDS):
                held[call.peer] -= 1
                given_up.append(call)
                self._suspect(call.peer, now)
                self.end(call, now)
        return given_up

    def end(self, call: C, now: float) -> None:
        """Take a place from a call that has ended while its message may still be arriving."""
        if self._arriving.pop(call, None) is not None:
            self._ending[call] = now

    @property
    def ending(self) -> list[C]:
        """The calls that have ended, and have not left."""
        return list(self._ending)

    def overdue(self, now: float) -> list[C]:
        """Return the calls that should have left by themselves."""
        return [call for call, since in self._ending.items() if now - since > END_SECONDS]

    def displace(self, newcomer: C) -> C | None:
        """Return a waiting call that has to make room for one of another connection, which has
        fewer; None when there is none.

        For when no further call is taken at all, so that one connection can't have it all.
        """
        if not self._turns:
            return None
        peer, calls = max(self._turns.items(), key=lambda item: len(item[1]))
        if len(calls) <= len(self._turns.get(newcomer.peer, ())) + 1:
            return None
        displaced = calls.pop()
        if not calls:
            del self._turns[peer]
        return displaced

    def _has_place(self) -> bool:
        messages = len(self._arriving)
        return messages < self._places and messages + len(self._ending) < 2 * self._places

    def _share_places(self) -> None:
        while self._waiting:
            call = self._waiting.popleft()
            self._turns.setdefault(call.peer, deque()).append(call)

    def _held(self) -> dict[str, int]:
        """Return how many places each connection holds."""
        held: dict[str, int] = {}
        for call in self._arriving:
            held[call.peer] = held.get(call.peer, 0) + 1
        return held

    def _choose(self, now: float) -> str | None:
        """Return the connection whose turn it is; None when all have to wait."""
        held = self._held()
        suspects = [peer for peer in held if self._is_suspect(peer, now)]
        suspects_held = sum(held[peer] for peer in suspects)
        for are_suspects in (False, True):
            if are_suspects and suspects_held >= self._share:
                return None
            for peer in self._turns:
                has_place = held.get(peer, 0) < self._share
                if has_place and self._is_suspect(peer, now) is are_suspects:
                    return peer
        return None

    def _is_suspect(self, peer: str, now: float) -> bool:
        since = self._suspects.get(peer)
        return since is not None and now - since <= SUSPECT_SECONDS

    def _suspect(self, peer: str, now: float) -> None:
        self._suspects.pop(peer, None)
        self._suspects[peer] = now
        if len(self._suspects) > MAX_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
