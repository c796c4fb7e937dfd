"""Messages that stall keep nobody else's from arriving."""

from dataclasses import dataclass

from server.rpc.arrivals import END_SECONDS, GREEDY_SECONDS, STALL_SECONDS, Arrivals

PATIENCE = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class FakeCall:
    peer: str


def make(places: int = 16) -> Arrivals[FakeCall]:
    return Arrivals[FakeCall](places, PATIENCE)


def enter(arrivals: Arrivals[FakeCall], peer: str, calls: int, now: float = 0.0) -> list[FakeCall]:
    """Let calls of a connection come, and return them."""
    made = [FakeCall(peer) for _ in range(calls)]
    for call in made:
        arrivals.enter(call, now)
    return made


def look(
    arrivals: Arrivals[FakeCall], now: float, *, are_gone: bool = True
) -> tuple[list[FakeCall], list[FakeCall]]:
    """Return the calls that lose their places, whose messages are gone or not, and those that get
    them.
    """
    given_up = arrivals.give_up(now)
    if are_gone:
        for gone in given_up:
            arrivals.leave(gone)
    placed = []
    while (call := arrivals.next(now)) is not None:
        placed.append(call)
    return given_up, placed


def test_calls_have_places_in_their_order() -> None:
    arrivals = make(2)
    calls = [FakeCall("a"), FakeCall("b"), FakeCall("a"), FakeCall("b")]
    assert [arrivals.enter(call, 0.0) for call in calls] == [True, True, False, False]
    assert arrivals.next(0.0) is None
    arrivals.leave(calls[1])
    assert look(arrivals, STALL_SECONDS / 2) == ([], [calls[2]])
    arrivals.leave(calls[0])
    arrivals.leave(calls[2])
    assert look(arrivals, STALL_SECONDS / 2) == ([], [calls[3]])
    assert not arrivals.is_contended


def test_nobody_is_given_up_while_nobody_waits() -> None:
    arrivals = make()
    enter(arrivals, "a", 16)
    assert look(arrivals, 1000.0) == ([], [])


def test_stalled_messages_are_given_up_together() -> None:
    arrivals = make()
    stalled = [FakeCall(str(number)) for number in range(16)]
    for call in stalled:
        arrivals.enter(call, 0.0)
    (good,) = enter(arrivals, "good", 1)
    assert look(arrivals, PATIENCE - 0.01) == ([], [])
    assert look(arrivals, PATIENCE + 0.01) == (stalled, [good])


def test_one_connection_holds_no_more_than_half_of_the_places() -> None:
    arrivals = make()
    flood = enter(arrivals, "bad", 200)
    (good,) = enter(arrivals, "good", 1)
    given_up, placed = look(arrivals, GREEDY_SECONDS + 0.01)
    assert given_up == flood[:8]
    assert placed == [good], "the others of the same connection wait"


def test_a_lone_connection_keeps_its_places() -> None:
    arrivals = make()
    calls = enter(arrivals, "only", 20)
    given_up, placed = look(arrivals, GREEDY_SECONDS + 0.01)
    assert (given_up, placed) == ([], [])
    given_up, _ = look(arrivals, PATIENCE + 0.01)
    assert given_up == calls[:16]


def test_among_many_that_dribble_each_has_a_turn_in_time() -> None:
    arrivals = make()
    for number in range(100):
        enter(arrivals, str(number), 3)
    (good,) = enter(arrivals, "good", 1)
    now = 0.0
    while now < 1.5 * PATIENCE:
        now += 0.05
        if good in look(arrivals, now)[1]:
            break
    assert now < 1.5 * PATIENCE


def test_who_has_stalled_comes_last() -> None:
    arrivals = make()
    for number in range(100):
        enter(arrivals, str(number), 2)
    now = 0.0
    for _ in range(200):
        now += 0.05
        look(arrivals, now)
    # All of them are known by now, and leave places to others.
    for number in range(100):
        enter(arrivals, str(number), 2, now)
    look(arrivals, now)
    for _ in range(50):
        (good,) = enter(arrivals, "good", 1, now)
        assert good in look(arrivals, now)[1], "at once"
        arrivals.leave(good)


def test_a_newcomer_takes_the_place_of_who_has_most() -> None:
    arrivals = make(2)
    arriving = enter(arrivals, "bad", 10)[:2]
    assert arrivals.displace(FakeCall("good")) is None, "as long as nothing stalls"
    look(arrivals, STALL_SECONDS + 0.01)
    displaced = arrivals.displace(FakeCall("good"))
    assert displaced is not None
    assert displaced.peer == "bad"
    assert arrivals.displace(FakeCall("bad")) is None
    for call in arriving:
        arrivals.leave(call)
    waiting = 0
    while (placed := arrivals.next(STALL_SECONDS + 0.01)) is not None:
        arrivals.leave(placed)
        waiting += 1
    assert waiting == 7


def test_what_stalled_is_forgotten_once_nobody_waits() -> None:
    arrivals = make(1)
    first, second = enter(arrivals, "a", 2)
    look(arrivals, STALL_SECONDS + 0.01)
    assert [arrivals.is_stalled, arrivals.is_contended] == [True, True]
    arrivals.leave(first)
    assert arrivals.next(0.2) is second
    assert [arrivals.is_stalled, arrivals.is_contended] == [False, False]
    arrivals.leave(second)
    assert arrivals.enter(FakeCall("b"), 0.3)


def test_what_is_given_up_counts_until_it_is_gone() -> None:
    arrivals = make(2)
    for number in range(10):
        enter(arrivals, str(number), 1)
    now, given_up = 0.0, []
    for _ in range(10):
        now += 2 * PATIENCE
        given_up += look(arrivals, now, are_gone=False)[0]
    assert len(given_up) == 4, "twice the places"
    assert arrivals.ending == given_up
    arrivals.leave(given_up[0])
    assert len(look(arrivals, now, are_gone=False)[1]) == 1
    assert arrivals.enter(FakeCall("newcomer"), now) is False
    for call in given_up[1:]:
        arrivals.leave(call)
    assert arrivals.ending == []
    assert len(look(arrivals, now, are_gone=False)[1]) == 1, "the other place"


def test_a_newcomer_waits_for_what_is_given_up() -> None:
    arrivals = make(1)
    stalled, other = enter(arrivals, "a", 1) + enter(arrivals, "b", 1)
    assert look(arrivals, PATIENCE + 0.01, are_gone=False) == ([stalled], [other])
    arrivals.leave(other)
    third = enter(arrivals, "c", 1, PATIENCE + 0.02)[0]
    (fourth,) = enter(arrivals, "d", 1, PATIENCE + 0.02)
    assert look(arrivals, 3 * PATIENCE, are_gone=False) == ([third], [])
    assert look(arrivals, 30 * PATIENCE, are_gone=False) == ([], [])
    arrivals.leave(stalled)
    assert look(arrivals, 30 * PATIENCE, are_gone=False) == ([], [fourth])


def test_what_does_not_end_by_itself_is_overdue() -> None:
    arrivals = make(1)
    stalled, other = enter(arrivals, "a", 1) + enter(arrivals, "b", 1)
    look(arrivals, 3.0, are_gone=False)
    assert arrivals.overdue(3.0 + END_SECONDS - 0.01) == []
    assert arrivals.overdue(3.0 + END_SECONDS + 0.01) == [stalled]
    arrivals.leave(stalled)
    assert arrivals.overdue(100.0) == []
    arrivals.leave(other)
