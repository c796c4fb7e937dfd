"""What waits stays within bounds, for each model, and nothing is counted that no longer waits."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from server.running.queues import OVERHEAD_BYTES, Queue, Queues


@dataclass(frozen=True, slots=True)
class Wish:
    extra_seconds: float = 0.0


@dataclass(slots=True, eq=False)
class Waiting:
    size: int = 1
    held_bytes: int = 0
    request: Wish = field(default_factory=Wish)


def make(max_images: int = 10, max_bytes: int = 1 << 30) -> Queues[Waiting]:
    return Queues[Waiting](4, max_images, max_bytes)


def test_one_full_queue_leaves_room_in_others() -> None:
    queues, slow, other = make(), Queue[Waiting](), Queue[Waiting]()
    starts, refused = queues.enqueue(slow, [Waiting() for _ in range(12)])
    assert starts
    assert len(refused) == 2
    assert queues.full == 1
    assert queues.enqueue(other, [Waiting() for _ in range(10)]) == (True, [])
    assert queues.images == 20
    assert queues.full == 2


def test_one_model_leaves_half_of_the_bytes_to_others() -> None:
    queues, slow, other = make(1000, 100_000), Queue[Waiting](), Queue[Waiting]()
    queues.enqueue(slow, [Waiting(held_bytes=9000) for _ in range(20)])
    assert 40_000 < slow.bytes <= 55_000
    assert queues.enqueue(other, [Waiting(held_bytes=45_000)]) == (True, [])
    assert queues.bytes <= 100_000


def test_a_lone_call_waits_however_large_it_is() -> None:
    queues, queue = make(10, 1000), Queue[Waiting]()
    large, small = Waiting(size=50, held_bytes=10_000), Waiting()
    assert queues.enqueue(queue, [large, small]) == (True, [small])
    assert queues.take(queue) == [large]


def test_whoever_starts_a_queue_is_the_only_one() -> None:
    queues, queue = make(), Queue[Waiting]()
    assert queues.try_start(queue, 1)
    assert not queues.try_start(queue, 1)
    assert queues.enqueue(queue, [Waiting()]) == (False, [])
    assert queues.finish(queue), "the one that runs it goes on"
    assert len(queues.take(queue)) == 1
    assert not queues.finish(queue)
    assert queues.try_start(queue, 1)


def test_a_message_that_waits_to_be_read_is_counted() -> None:
    queues = make(10, 1000)
    assert queues.reserve(400)
    assert not queues.reserve(400), "half of the bytes are for calls that have been read"
    queues.release(400)
    assert queues.reserve(5000), "nothing else waits"
    queues.release(5000)
    assert queues.bytes == 0


CALLS = st.builds(
    Waiting,
    size=st.integers(1, 6),
    held_bytes=st.integers(0, 5000),
    request=st.builds(Wish, st.sampled_from([0.0, 0.25, 2.0])),
)
STEPS = st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.lists(CALLS, max_size=5))))


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_counts_are_those_of_what_waits(steps: list[tuple[int, list[Waiting] | None]]) -> None:
    queues, each = make(12, 20_000), [Queue[Waiting]() for _ in range(3)]
    entered: list[list[Waiting]] = [[], [], []]
    for number, calls in steps:
        queue = each[number]
        if calls is None:
            taken = queues.take(queue)
            assert taken == entered[number][: len(taken)], "in their order"
            assert len(taken) <= 1 or sum(call.size for call in taken) <= 4
            del entered[number][: len(taken)]
        else:
            _, refused = queues.enqueue(queue, calls)
            entered[number] += [call for call in calls if call not in refused]
        for queue, waiting in zip(each, entered, strict=True):
            assert list(queue.waiting) == waiting
            assert queue.images == sum(call.size for call in waiting)
            assert queue.bytes == sum(call.held_bytes + OVERHEAD_BYTES for call in waiting)
            assert queue.extra_seconds == sum(
                call.size * call.request.extra_seconds for call in waiting
            )
            assert queue.images <= 12 or len(waiting) == 1
        assert queues.images == sum(queue.images for queue in each)
        assert queues.bytes == sum(queue.bytes for queue in each)
