"""Tasks that are cancelled while their calls travel with others', and loops that end."""

import asyncio
import multiprocessing

import pytest

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import aio
from mlpserve.joining.queues import MAX_FLIGHTS
from tests.mlpserve.joining.ending import end_loop
from tests.mlpserve.joining.held import Held, callers, enqueue, holding, image, numbers, occupy

LONE = MAX_FLIGHTS * [1]


def test_a_waiting_call_is_not_sent() -> None:
    with holding() as held, callers("tasks", held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(5)])
        calls[2].cancel()
        wait_for(lambda: caller.waiting() == 4)
        held.open(after=2 * MAX_FLIGHTS)
        assert numbers(calls[:2] + calls[3:]) == [0, 1, 3, 4]
        assert held.sizes == [*LONE, 2, 2]


def test_a_call_in_flight_is_forgotten() -> None:
    with holding() as held, callers("tasks", held.address) as caller:
        first = occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(5)])
        held.arrived[0].go.set()
        numbers(first[:1])
        held.wait(MAX_FLIGHTS + 1)
        calls[0].cancel()
        wait_for(lambda: caller.waiting() == 4)
        held.open()
        assert numbers(calls[1:]) == [1, 2, 3, 4]


def test_a_group_that_all_have_left_is_cancelled() -> None:
    with holding() as held, callers("tasks", held.address) as caller:
        first = occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(4)])
        held.arrived[0].go.set()
        numbers(first[:1])
        held.wait(MAX_FLIGHTS + 1)
        group = held.arrived[MAX_FLIGHTS]
        for call in calls[: group.images]:
            assert not group.is_over.is_set()
            call.cancel()
        assert group.is_over.wait(PATIENCE_SECONDS)
        # Those that waited for its end go on.
        held.wait(MAX_FLIGHTS + 2)
        held.open()
        assert numbers(calls[group.images :]) == list(range(group.images, 4))


def test_a_lone_call_that_is_cancelled_sends_the_others() -> None:
    with holding() as held, callers("tasks", held.address) as caller:
        first = occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(4)])
        first[0].cancel()
        held.wait(MAX_FLIGHTS + 1)
        assert held.arrived[0].is_over.wait(PATIENCE_SECONDS)
        held.open()
        assert numbers(calls) == [0, 1, 2, 3]


def test_cancelled_before_the_group_is_sent() -> None:
    """In the moment between its members' choice and its sending."""

    async def run(held: Held) -> None:
        async with aio.Client(held.address, coalesce=True) as client:
            first = [asyncio.create_task(client.predict(image(n))) for n in range(MAX_FLIGHTS)]
            await asyncio.to_thread(held.wait, MAX_FLIGHTS)
            waiting = asyncio.create_task(client.predict(image(7)))
            await asyncio.sleep(0)
            for call in first:
                call.cancel()
            # The first step of a lone call's end forms the group, the next one sends it.
            await asyncio.sleep(0)
            waiting.cancel()
            held.open()
            results = await asyncio.gather(*first, waiting, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            assert (await client.predict(image(3))).labels.shape == (1,)

    with holding() as held:
        asyncio.run(run(held))


@pytest.mark.parametrize("n_calls", [1, 2, 3, 10])
def test_a_loop_that_ends_leaves_nothing_behind(n_calls: int) -> None:
    """asyncio.run cancels what is left; warnings of tasks that were forgotten are errors."""
    process = multiprocessing.get_context("spawn").Process(
        target=end_loop, args=(n_calls,), daemon=True
    )
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0


def test_timeouts_of_asyncio() -> None:
    async def run(held: Held) -> None:
        async with aio.Client(held.address, coalesce=True) as client:
            first = [asyncio.create_task(client.predict(image(n))) for n in range(MAX_FLIGHTS)]
            await asyncio.to_thread(held.wait, MAX_FLIGHTS)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.predict(image(5))
            held.open()
            await asyncio.gather(*first)
            assert held.sizes == LONE

    with holding() as held:
        asyncio.run(run(held))
