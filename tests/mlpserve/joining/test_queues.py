"""The queues of joined calls, event by event, and by any events against a simple model."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlpserve.joining import queues as queues_module
from mlpserve.joining.queues import (
    ALONE,
    MAX_GROUP_BYTES,
    MAX_MEMBERS,
    Group,
    Key,
    Member,
    Queues,
)
from mlpserve.joining.request_ids import MAX_CHARACTERS, MAX_JOINED_CHARACTERS

PIXELS = np.zeros(784, np.uint8)
KEY, OTHER = (b"", "B", 784), (b"other", "B", 784)
Call = Member[None]


def call(
    key: Key = KEY, deadline: float = 10.0, size: int = 784, request_id: str | None = None
) -> Call:
    return Member(key, PIXELS, request_id, bytes(size), deadline)


def arrived(queues: Queues[None], *calls: Call) -> list[bool]:
    return [queues.arrive(one) for one in calls]


def group_of(queues: Queues[None], first: Call, now: float = 0.0) -> Group[None]:
    group = queues.leave(first, now)
    assert group is not None
    return group


def test_nothing_waits_while_nothing_is_in_flight() -> None:
    queues = Queues[None](1)
    for _ in range(3):
        lone = call()
        assert queues.arrive(lone)
        assert queues.leave(lone, 0) is None
        assert not queues


def test_what_comes_meanwhile_travels_together() -> None:
    queues = Queues[None](1)
    first, *others = calls = [call() for _ in range(4)]
    assert arrived(queues, *calls) == [True, False, False, False]
    group = group_of(queues, first)
    assert group.members == others
    late = call()
    assert not queues.arrive(late)
    assert queues.conclude(group, ALONE, []) is None
    following = queues.finish(group, 0)
    assert following is not None
    assert following.members == [late]
    queues.conclude(following, ALONE, [])
    assert queues.finish(following, 0) is None
    assert not queues


def test_kinds_are_independent() -> None:
    queues = Queues[None](1)
    first, other, waiting = call(), call(OTHER), call(OTHER)
    assert arrived(queues, first, other, waiting) == [True, True, False]
    assert queues.leave(first, 0) is None
    assert group_of(queues, other).members == [waiting]


def test_callers_are_spread_over_the_flights() -> None:
    queues = Queues[None](2)
    first, second, *others = calls = [call() for _ in range(10)]
    assert arrived(queues, *calls) == [True, True] + 8 * [False]
    assert group_of(queues, first).members == others[:4]
    assert group_of(queues, second).members == others[4:]


@pytest.mark.parametrize(
    ("calls", "fit"),
    [
        ([call() for _ in range(MAX_MEMBERS + 1)], MAX_MEMBERS),
        ([call(size=MAX_GROUP_BYTES // 3) for _ in range(4)], 3),
        ([call(size=2 * MAX_GROUP_BYTES) for _ in range(2)], 1),
        (
            [call(request_id="i" * MAX_CHARACTERS) for _ in range(40)],
            (MAX_JOINED_CHARACTERS + 1) // (MAX_CHARACTERS + 1),
        ),
        ([call(request_id="i" * 63) for _ in range(40)], (MAX_JOINED_CHARACTERS + 1) // 64),
    ],
    ids=["calls", "bytes", "one that is too large", "long ids", "ids"],
)
def test_groups_are_bounded(calls: list[Call], fit: int) -> None:
    queues = Queues[None](1)
    first = call()
    arrived(queues, first, *calls)
    group = group_of(queues, first)
    assert group.members == calls[:fit]
    following = queues.finish(group, 0)
    assert following is not None
    assert following.members == calls[fit : 2 * fit]


def test_who_has_no_time_left_is_not_sent() -> None:
    queues = Queues[None](1)
    first, late, ready = call(), call(deadline=1), call(deadline=3)
    arrived(queues, first, late, ready)
    group = group_of(queues, first, 1.0)
    assert (group.members, group.deadline) == ([ready], 3)
    assert list(queues.pending()) == [late, ready]


def test_nobody_is_left_who_has_time() -> None:
    queues = Queues[None](1)
    first, late = call(), call(deadline=1)
    arrived(queues, first, late)
    assert queues.leave(first, 2.0) is None
    assert not queues
    assert queues.leave(late, 2.0) is None


def test_a_waiting_call_leaves() -> None:
    queues = Queues[None](1)
    first, leaving, waiting = call(), call(), call()
    arrived(queues, first, leaving, waiting)
    assert queues.leave(leaving, 0) is None
    assert group_of(queues, first).members == [waiting]


def test_a_group_is_abandoned_by_its_last_caller() -> None:
    queues = Queues[None](1)
    first, *members = calls = [call() for _ in range(3)]
    arrived(queues, *calls)
    group = group_of(queues, first)
    for member in members:
        assert not group.is_abandoned
        assert queues.leave(member, 0) is None
    assert group.is_abandoned
    # Until gRPC has ended it, it is in flight.
    assert not queues.arrive(call())


def test_the_rest_of_a_group_travels_once_more() -> None:
    queues = Queues[None](1)
    first, *members = calls = [call() for _ in range(5)]
    arrived(queues, *calls)
    group = group_of(queues, first)
    waiting = call()
    queues.arrive(waiting)
    queues.leave(members[0], 0)
    rest = queues.conclude(group, ALONE, members[:3])
    assert rest is not None
    # Without those that came meanwhile, whose images may be refused, too.
    assert (rest.members, rest.rounds) == (members[1:3], 2)
    assert [member.outcome for member in members] == [ALONE, None, None, ALONE]
    assert [member.place for member in rest.members] == [0, 1]
    following = queues.finish(rest, 0)
    assert following is not None
    assert following.members == [waiting]


def test_nothing_is_sent_when_the_rest_has_left() -> None:
    queues = Queues[None](1)
    first, member = call(), call()
    arrived(queues, first, member)
    group = group_of(queues, first)
    queues.leave(member, 0)
    assert queues.conclude(group, ALONE, [member]) is None


def test_a_group_that_is_too_large_is_split() -> None:
    queues = Queues[None](1)
    first, *members = calls = [call() for _ in range(6)]
    arrived(queues, *calls)
    group = group_of(queues, first)
    queues.arrive(late := call())
    queues.leave(members[2], 0)
    queues.split(group)
    sent = []
    flight = queues.finish(group, 0)
    while flight is not None:
        sent.append(flight.members)
        queues.conclude(flight, ALONE, [])
        flight = queues.finish(flight, 0)
    assert sent == [members[:2], members[3:], [late]]


def test_what_cannot_travel_together_goes_its_own_way() -> None:
    queues = Queues[None](1)
    pixels = np.zeros((28, 28), np.uint8)
    assert queues.is_joinable(KEY, pixels)
    queues.limit(KEY, 1)
    assert not queues.is_joinable(KEY, pixels)
    assert queues.is_joinable(OTHER, pixels)
    for number in range(queues_module.MAX_LIMITS):
        queues.limit((b"", "B", number), 1)
    # There is room for so many only.
    assert queues.is_joinable(KEY, pixels)


@pytest.mark.parametrize(
    ("shape", "joins"),
    [((784,), True), ((28, 28), True), ((1, 28, 28), True), ((2, 28, 28), False)],
)
def test_shapes(shape: tuple[int, ...], joins: bool) -> None:
    assert Queues[None]().is_joinable(KEY, np.zeros(shape, np.uint8)) == joins


def test_large_images_go_their_own_way() -> None:
    side = 256
    assert Queues[None]().is_joinable(KEY, np.zeros((side, side), np.uint8))
    assert not Queues[None]().is_joinable(KEY, np.zeros((side, side), np.float32))


def test_disbanded() -> None:
    queues = Queues[None](1)
    first, gone, member = calls = [call() for _ in range(3)]
    arrived(queues, *calls)
    group = group_of(queues, first)
    queues.leave(gone, 0)
    queues.arrive(waiting := call())
    assert queues.disband(group) == [member, waiting]
    assert not queues


@pytest.mark.parametrize("waits", [True, False])
def test_steps_may_be_repeated(waits: bool) -> None:
    """As after an interrupt that came before their results were kept."""
    queues = Queues[None](1)
    first, second = call(), call()
    assert arrived(queues, first, first) == [True, True]
    if waits:
        assert arrived(queues, second, second) == [False, False]
    group = queues.leave(first, 0)
    assert queues.leave(first, 0) is group
    assert (group is not None) == waits
    assert len(queues) == waits


class AnyEvents(RuleBasedStateMachine):
    """Whatever happens: each call has one way to its end, and nothing is left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.max_flights = 2
        self.queues = Queues[None](self.max_flights)
        self.flying: dict[Key, list[object]] = {KEY: [], OTHER: []}
        self.queued: dict[Key, list[Call]] = {KEY: [], OTHER: []}

    def note(self, group: Group[None] | None, ended: object, key: Key) -> None:
        """Compare what follows a flight with what the model says."""
        self.flying[key].remove(ended)
        ready = [one for one in self.queued[key] if one.deadline > self.now]
        assert (group is None) == (not ready)
        if group is None:
            if not self.flying[key]:
                # Those that are late end by their own clock, and wait for none that comes later.
                self.queued[key] = []
            return
        assert group.members == ready[: len(group.members)]
        assert len({one.key for one in group.members}) == 1
        assert not group.is_abandoned
        self.queued[key] = [one for one in self.queued[key] if one not in group.members]
        self.flying[key].append(group)

    @rule(
        key=st.sampled_from([KEY, OTHER]), seconds=st.integers(1, 5), size=st.integers(1, 1 << 19)
    )
    def arrive(self, key: Key, seconds: int, size: int) -> None:
        one = call(key, self.now + seconds, size)
        starts = self.queues.arrive(one)
        assert starts == (len(self.flying[key]) < self.max_flights)
        if starts:
            self.flying[key].append(one)
        else:
            self.queued[key].append(one)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(data=st.data())
    def end_lone(self, data: st.DataObject) -> None:
        lone = [
            one for flights in self.flying.values() for one in flights if isinstance(one, Member)
        ]
        if lone:
            one = lone[data.draw(st.integers(0, len(lone) - 1))]
            self.note(self.queues.leave(one, self.now), one, one.key)

    @rule(data=st.data())
    def leave_queue(self, data: st.DataObject) -> None:
        queued = [one for calls in self.queued.values() for one in calls]
        if queued:
            one = queued[data.draw(st.integers(0, len(queued) - 1))]
            assert self.queues.leave(one, self.now) is None
            self.queued[one.key].remove(one)

    @rule(data=st.data())
    def leave_group(self, data: st.DataObject) -> None:
        members = [one for group in self.in_flight() for one in group.members]
        if members:
            one = members[data.draw(st.integers(0, len(members) - 1))]
            assert self.queues.leave(one, self.now) is None
            assert one.outcome is ALONE

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        groups = self.in_flight()
        if not groups:
            return
        group = groups[data.draw(st.integers(0, len(groups) - 1))]
        retried = [one for one in group.members if data.draw(st.booleans())]
        left = {one for one in group.members if one.outcome is not None}
        rest = self.queues.conclude(group, ALONE, retried)
        again = [one for one in retried if one not in left]
        assert all(one.outcome is ALONE for one in group.members if one not in again)
        if rest is None:
            assert not again
            self.note(self.queues.finish(group, self.now), group, group.key)
            return
        assert rest.members == again
        self.flying[group.key].remove(group)
        self.flying[group.key].append(rest)

    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        groups = self.in_flight()
        if not groups:
            return
        group = groups[data.draw(st.integers(0, len(groups) - 1))]
        back = [one for one in group.members if one.outcome is None]
        self.queues.split(group)
        self.queued[group.key] = back + self.queued[group.key]
        self.note(self.queues.finish(group, self.now), group, group.key)

    def in_flight(self) -> list[Group[None]]:
        return [
            one for flights in self.flying.values() for one in flights if isinstance(one, Group)
        ]

    @invariant()
    def nothing_waits_while_nothing_is_in_flight(self) -> None:
        assert len(self.queues) == sum(map(bool, self.flying.values()))
        for key, calls in self.queued.items():
            if any(one.deadline > self.now for one in calls) and not self.flying[key]:
                raise AssertionError("a call waits for nothing")

    @invariant()
    def those_that_wait_are_known(self) -> None:
        waiting = {
            one for key, calls in self.queued.items() if self.flying[key] for one in calls
        } | {one for group in self.in_flight() for one in group.members if one.outcome is None}
        assert set(self.queues.pending()) == waiting


TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
