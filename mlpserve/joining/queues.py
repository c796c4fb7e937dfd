"""Which calls travel together: queues and flights, without gRPC, threads or asyncio in them.

A flight is what is in progress for a kind of call: the first call on its own, then all that came
meanwhile as one group. Nothing waits while nothing of its kind is in flight.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from mlpserve.images import Pixels
from mlpserve.joining.request_ids import MAX_JOINED_CHARACTERS
from mlpserve.prediction import Prediction

MAX_MEMBERS = 256
MAX_GROUP_BYTES = 1 << 20
"""What a group holds at most, far below what servers take as one message."""

MAX_MEMBER_BYTES = 1 << 16
"""Larger calls go on their own: joining would save them little, and make them wait."""

MAX_FLIGHTS = 2
"""How many requests of a kind are in flight at once: while the server answers one, the next is
written.
"""

MAX_LIMITS = 256
MAX_ROUNDS = 3
"""How often the calls of a group are sent together, each time without those that were refused."""

Key: TypeAlias = tuple[bytes, str, int]
"""What calls have in common that may travel together: the request without its pixels, their type
and their number.
"""

W = TypeVar("W")


class Alone:
    """The outcome of a call that is to be sent once more, on its own."""


ALONE = Alone()

Outcome: TypeAlias = Prediction | Exception | Alone
"""What became of a group: its answer, what each of its calls ends with, or what each has to do."""


@dataclass(slots=True, eq=False)
class Member(Generic[W]):
    """One call. What it needs only when it waits is set then: `content`, its pixels as they travel,
    `deadline` by the driver's clock, and `wake`, what its caller waits for.

    `place` is its place in its group. `following` is the group that was to be sent when the call,
    being a flight, ended.
    """

    key: Key
    pixels: Pixels
    request_id: str | None
    content: bytes = b""
    deadline: float = math.inf
    wake: W | None = None
    group: "Group[W] | None" = None
    place: int = 0
    outcome: Outcome | None = None
    following: "Group[W] | None" = None


@dataclass(slots=True, eq=False)
class Group(Generic[W]):
    """Calls that travel as one request, of which `remaining` still have a caller who waits.

    `share` is how many images of the answer each of them has. `call` is the driver's, once the
    group `is_sent`.
    """

    key: Key
    members: list[Member[W]]
    remaining: int
    rounds: int = 1
    share: int = 0
    call: Any = None
    is_sent: bool = False
    following: "Group[W] | None" = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for its answer any more."""
        return not self.remaining

    @property
    def deadline(self) -> float:
        """When the last of its calls is over."""
        return max(member.deadline for member in self.members)


@dataclass(slots=True, eq=False)
class _Kind(Generic[W]):
    """The calls with one key: what is in flight, members on their own and groups, and those that
    wait.
    """

    flights: dict[Member[W] | Group[W], None] = field(default_factory=dict)
    waiting: dict[Member[W], None] = field(default_factory=dict)


class Queues(Generic[W]):
    """The calls of a client by their keys; for one thread at a time.

    So many of a kind are in flight at most. `arrive` and `leave` may be repeated when something has
    interrupted them.
    """

    def __init__(self, max_flights: int = MAX_FLIGHTS) -> None:
        self._max_flights = max_flights
        self._kinds: dict[Key, _Kind[W]] = {}
        self._spare: _Kind[W] | None = None
        self._limits: dict[Key, int] = {}

    def __len__(self) -> int:
        """Return how many kinds of calls are in flight."""
        return len(self._kinds)

    def is_joinable(self, key: Key, pixels: Pixels) -> bool:
        """Return whether a call with such pixels travels with others."""
        shape = pixels.shape
        return (
            pixels.nbytes <= MAX_MEMBER_BYTES
            and (len(shape) < 3 or shape[0] == 1)
            and self._limits.get(key, 2) > 1
        )

    def arrive(self, member: Member[W]) -> bool:
        """Return whether a call is to be sent at once; otherwise it waits for one in flight."""
        kind = self._kinds.get(member.key)
        if kind is None:
            # Making one takes as long as all else here.
            spare, self._spare = self._spare, None
            kind = self._kinds[member.key] = spare or _Kind()
        if len(kind.flights) < self._max_flights:
            kind.flights[member] = None
        elif member not in kind.flights:
            kind.waiting[member] = None
        return member in kind.flights

    def leave(self, member: Member[W], now: float) -> Group[W] | None:
        """Let a call end, answered or not; returns a group that is to be sent now.

        The caller then cancels the call's own group if it `is_abandoned`.
        """
        if member.group is None:
            kind = self._kinds.get(member.key)
            if kind is not None and member in kind.waiting:
                del kind.waiting[member]
                return None
            return self.finish(member, now)
        if member.outcome is None:
            # Its answer is for nobody.
            member.outcome = ALONE
            member.group.remaining -= 1
        return None

    def finish(self, flight: Member[W] | Group[W], now: float) -> Group[W] | None:
        """End a flight; returns the group that is to be sent now, if any calls wait."""
        kind = self._kinds.get(flight.key)
        if kind is None:
            return flight.following
        if flight in kind.flights:
            if flight.following is None and kind.waiting:
                flight.following = self._form_next(kind, flight.key, now)
            if flight.following is not None:
                for member in flight.following.members:
                    kind.waiting.pop(member, None)
                kind.flights[flight.following] = None
            del kind.flights[flight]
        if not kind.flights:
            # Members that no longer wait end by their own clock.
            self._kinds.pop(flight.key, None)
            if not kind.waiting:
                self._spare = kind
        return flight.following

    def conclude(
        self, group: Group[W], outcome: Outcome, retried: list[Member[W]]
    ) -> Group[W] | None:
        """Tell a group what became of all of its calls but of those that are to travel together
        once more; returns them, as the group that is to be sent now. If there are none, the caller
        goes on with `finish`.
        """
        kept = {member for member in retried if member.outcome is None}
        for member in group.members:
            if member.outcome is None and member not in kept:
                member.outcome = outcome
        kind = self._kinds.get(group.key)
        if not kept or kind is None or group not in kind.flights:
            return None
        rest = _form(group.key, [member for member in group.members if member in kept])
        rest.rounds = group.rounds + 1
        kind.flights[rest] = None
        del kind.flights[group]
        return rest

    def limit(self, key: Key, members: int) -> None:
        """Have no more than so many calls of a kind travel together from now on; with 1, the next
        ones don't wait for each other.
        """
        self._limits.pop(key, None)
        while len(self._limits) >= MAX_LIMITS:
            del self._limits[next(iter(self._limits))]
        self._limits[key] = members

    def split(self, group: Group[W]) -> None:
        """Have the calls of a group that is too large wait for smaller ones, before all others."""
        self.limit(group.key, max(1, len(group.members) // 2))
        back = [member for member in group.members if member.outcome is None]
        for member in back:
            member.group = None
        if (kind := self._kinds.get(group.key)) is not None:
            kind.waiting = dict.fromkeys(back) | kind.waiting

    def disband(self, group: Group[W]) -> list[Member[W]]:
        """End a group and the queue behind it; returns their members, which have no outcome."""
        kind = self._kinds.get(group.key)
        members = list(group.members)
        if kind is not None and group in kind.flights:
            members += kind.waiting
            kind.waiting.clear()
            del kind.flights[group]
            if not kind.flights:
                del self._kinds[group.key]
        return [member for member in members if member.outcome is None]

    def pending(self) -> Iterator[Member[W]]:
        """Yield the calls that wait, or have no outcome while their group is in flight."""
        for kind in self._kinds.values():
            yield from kind.waiting
            for flight in kind.flights:
                if isinstance(flight, Group):
                    yield from (member for member in flight.members if member.outcome is None)

    def _form_next(self, kind: _Kind[W], key: Key, now: float) -> Group[W] | None:
        """Return those that wait and have time left, in their order, as far as they fit a group.

        All callers of a kind are spread evenly over the groups in flight.
        """
        members: list[Member[W]] = []
        size = characters = 0
        callers = len(kind.waiting) + sum(
            len(flight.members) for flight in kind.flights if isinstance(flight, Group)
        )
        limit = min(
            -(-callers // self._max_flights), MAX_MEMBERS, self._limits.get(key, MAX_MEMBERS)
        )
        for member in kind.waiting:
            # An interrupted caller may not have come so far as to say what is to be sent.
            if member.deadline <= now or not member.content:
                continue
            size += len(member.content)
            characters += len(member.request_id) + 1 if member.request_id else 0
            if members and (
                len(members) >= limit
                or size > MAX_GROUP_BYTES
                or characters > MAX_JOINED_CHARACTERS + 1
            ):
                break
            members.append(member)
        return _form(key, members) if members else None


def _form(key: Key, members: list[Member[W]]) -> Group[W]:
    group = Group(key, members, len(members))
    for place, member in enumerate(members):
        member.group, member.place = group, place
    return group
