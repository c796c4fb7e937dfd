"""Which calls travel together: queues and flights, without gRPC, threads or asyncio in them.

A flight is what is in progress for a kind of call: the first call on its own, then all that came
meanwhile as one group. Nothing waits while nothing of its kind is in flight.
"""

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
    """One call: `content` are its pixels as they travel, `deadline` is by the driver's clock, and
    `wake` is what its caller waits for once it is not `is_lone`.

    `place` is its place in its group. `following` is the group that was to be sent when the call,
    being a flight, ended.
    """

    key: Key
    pixels: Pixels
    content: bytes
    deadline: float
    request_id: str | None
    wake: W
    group: "Group[W] | None" = None
    place: int = 0
    outcome: Outcome | None = None
    following: "Group[W] | None" = None


@dataclass(slots=True, eq=False)
class Group(Generic[W]):
    """Calls that travel as one request, of which `remaining` still have a caller who waits.

    `call` is the driver's, once the group `is_sent`.
    """

    key: Key
    members: list[Member[W]]
    remaining: int
    rounds: int = 1
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
    """The calls with one key: a member on its own or a group in flight, and those that wait."""

    flight: Member[W] | Group[W]
    waiting: dict[Member[W], None] = field(default_factory=dict)


class Queues(Generic[W]):
    """The calls of a client by their keys; for one thread at a time.

    `arrive` and `leave` may be repeated when something has interrupted them.
    """

    def __init__(self) -> None:
        self._kinds: dict[Key, _Kind[W]] = {}
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
        """Return whether a call is to be sent at once, since none of its kind is in flight."""
        kind = self._kinds.get(member.key)
        if kind is None:
            self._kinds[member.key] = _Kind(member)
            return True
        if kind.flight is not member:
            kind.waiting[member] = None
        return kind.flight is member

    def leave(self, member: Member[W], now: float) -> Group[W] | None:
        """Let a call end, answered or not; returns a group that is to be sent now.

        The caller then cancels the call's own group if it `is_abandoned`.
        """
        kind = self._kinds.get(member.key)
        if kind is not None and kind.flight is member:
            return self._finish(kind, member, now)
        if member.group is None:
            if kind is not None:
                kind.waiting.pop(member, None)
        elif member.outcome is None:
            # Its answer is for nobody.
            member.outcome = ALONE
            member.group.remaining -= 1
        return member.following

    def settle(
        self, group: Group[W], outcome: Outcome, retried: list[Member[W]], now: float
    ) -> Group[W] | None:
        """End a group with what became of all of its calls but of those that are to travel together
        once more; returns the group that is to be sent now.

        The caller then wakes the members that have an outcome.
        """
        kept = {member for member in retried if member.outcome is None}
        for member in group.members:
            if member.outcome is None and member not in kept:
                member.outcome = outcome
        kind = self._kinds.get(group.key)
        if kind is None or kind.flight is not group:
            return None
        if not kept:
            return self._finish(kind, group, now)
        again = [member for member in group.members if member in kept]
        kind.flight = rest = _form(group.key, again, group.rounds + 1)
        return rest

    def limit(self, key: Key, members: int) -> None:
        """Have no more than so many calls of a kind travel together from now on; with 1, the next
        ones don't wait for each other.
        """
        self._limits.pop(key, None)
        while len(self._limits) >= MAX_LIMITS:
            del self._limits[next(iter(self._limits))]
        self._limits[key] = members

    def split(self, group: Group[W], now: float) -> Group[W] | None:
        """Have the calls of a group that is too large travel in smaller ones; returns the first."""
        self.limit(group.key, max(1, len(group.members) // 2))
        kind = self._kinds.get(group.key)
        if kind is None or kind.flight is not group:
            return None
        back = [member for member in group.members if member.outcome is None]
        for member in back:
            member.group = None
        kind.waiting = dict.fromkeys(back) | kind.waiting
        return self._finish(kind, group, now)

    def disband(self, group: Group[W]) -> list[Member[W]]:
        """End a group and the whole queue behind it; returns their members, without an outcome."""
        kind = self._kinds.pop(group.key, None)
        waiting = [] if kind is None else list(kind.waiting)
        return [member for member in (*group.members, *waiting) if member.outcome is None]

    def _finish(self, kind: _Kind[W], flight: Member[W] | Group[W], now: float) -> Group[W] | None:
        """End a flight; returns the next one, if any call waits for it."""
        if flight.following is None:
            flight.following = self._form_next(kind, flight.key, now)
        group = flight.following
        if group is None:
            # Who waits no longer by now, ends by its own clock.
            self._kinds.pop(flight.key, None)
            return None
        for member in group.members:
            kind.waiting.pop(member, None)
        kind.flight = group
        return group

    def _form_next(self, kind: _Kind[W], key: Key, now: float) -> Group[W] | None:
        """Return those that wait and have time left, in their order, as far as they fit a group."""
        members: list[Member[W]] = []
        size = characters = 0
        limit = min(MAX_MEMBERS, self._limits.get(key, MAX_MEMBERS))
        for member in kind.waiting:
            if member.deadline <= now:
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


def _form(key: Key, members: list[Member[W]], rounds: int = 1) -> Group[W]:
    group = Group(key, members, len(members), rounds)
    for place, member in enumerate(members):
        member.group, member.place = group, place
    return group
