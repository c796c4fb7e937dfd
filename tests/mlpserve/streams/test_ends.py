"""How streams are left: whoever asks stops, is cancelled, or needs an answer for the next item."""

import asyncio
import contextlib
import gc
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from mlpserve import Client, aio
from tests.mlpserve.serving import Serving, start_serving
from tests.mlpserve.streams.test_streams import Requests, Responses, respond

IMAGE = np.random.default_rng(6).random(784, dtype=np.float32)
GUARD_SECONDS = 60.0


class Endless:
    """A generator of items that tells when it is closed."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def items(self) -> Iterator[Any]:
        try:
            while True:
                yield IMAGE
        finally:
            self.is_closed.set()

    async def items_of_task(self) -> AsyncIterator[Any]:
        try:
            while True:
                yield IMAGE
        finally:
            self.is_closed.set()


@contextlib.contextmanager
def watched_serving() -> Iterator[tuple[Serving, threading.Event]]:
    """A server that answers three items, and tells when the call has ended."""
    ended = threading.Event()

    def stream(requests: Requests, context: grpc.ServicerContext) -> Responses:
        context.add_callback(ended.set)
        for _ in range(3):
            yield respond(next(requests))
        ended.wait()

    with start_serving(stream=stream) as serving:
        yield serving, ended


def break_off(client: Client, items: Iterator[Any]) -> None:
    with contextlib.closing(client.predict_stream(items)) as answers:
        for answer in answers:
            if answer.index == 1:
                break


def forget(client: Client, items: Iterator[Any]) -> None:
    answers = client.predict_stream(items)
    next(answers)
    del answers
    gc.collect()


def fail(client: Client, items: Iterator[Any]) -> None:
    def use() -> None:
        for _ in client.predict_stream(items):
            raise KeyError("no use for it")

    with pytest.raises(KeyError):
        use()
    gc.collect()


@pytest.mark.parametrize("leave", [break_off, forget, fail])
def test_leaving_ends_the_call_the_iterable_and_the_threads(
    leave: Callable[[Client, Iterator[Any]], None],
) -> None:
    endless, before = Endless(), set(threading.enumerate())
    with watched_serving() as (serving, ended), Client(serving.address) as client:
        leave(client, endless.items())
        assert ended.wait(GUARD_SECONDS)
        assert endless.is_closed.wait(GUARD_SECONDS)
        for thread in set(threading.enumerate()) - before:
            if "ThreadPool" not in thread.name and "_serve" not in thread.name:
                thread.join(GUARD_SECONDS)
                assert not thread.is_alive(), thread


def test_leaving_while_the_iterable_is_busy() -> None:
    """It is closed as soon as it gives the next item."""
    endless, is_busy, release = Endless(), threading.Event(), threading.Event()

    def items() -> Iterator[Any]:
        for number, item in enumerate(endless.items()):
            yield item
            if number == 1:
                is_busy.set()
                release.wait()

    with watched_serving() as (serving, ended), Client(serving.address) as client:
        answers = client.predict_stream(items())
        next(answers)
        next(answers)
        assert is_busy.wait(GUARD_SECONDS)
        answers.close()
        assert ended.wait(GUARD_SECONDS)
        assert not endless.is_closed.is_set()
        release.set()
        assert endless.is_closed.wait(GUARD_SECONDS)


def test_a_stream_that_nobody_reads_begins_nothing() -> None:
    endless = Endless()
    with watched_serving() as (serving, _), Client(serving.address) as client:
        answers = client.predict_stream(endless.items())
        answers.close()
        assert not serving.requests


def test_an_item_may_depend_on_the_answer_before(serving: Serving) -> None:
    answers: queue.Queue[Any] = queue.Queue()

    def items() -> Iterator[Any]:
        yield IMAGE
        for _ in range(20):
            yield np.roll(IMAGE, int(answers.get(timeout=GUARD_SECONDS).labels[0]) + 1)

    with Client(serving.address) as client:
        n_answers = 0
        for answer in client.predict_stream(items()):
            answers.put(answer.prediction)
            n_answers += 1
    assert n_answers == 21


def test_an_item_may_depend_on_the_answer_before_in_tasks(serving: Serving) -> None:
    async def ask() -> int:
        answers: asyncio.Queue[Any] = asyncio.Queue()

        async def items() -> AsyncIterator[Any]:
            yield IMAGE
            for _ in range(20):
                yield np.roll(IMAGE, int((await answers.get()).labels[0]) + 1)

        n_answers = 0
        async with aio.Client(serving.address) as client:
            async for answer in client.predict_stream(items()):
                answers.put_nowait(answer.prediction)
                n_answers += 1
        return n_answers

    assert asyncio.run(ask()) == 21


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("way", ["close", "cancel"])
def test_leaving_in_tasks(way: str, is_async: bool) -> None:
    endless = Endless()

    async def leave(serving: Serving, ended: threading.Event) -> None:
        items: Any = endless.items_of_task() if is_async else endless.items()
        async with aio.Client(serving.address) as client:
            answers = client.predict_stream(items)
            await anext(answers)
            if way == "close":
                await answers.aclose()
            else:
                await anext(answers)
                await anext(answers)
                # No answer comes to the fourth.
                waiting = asyncio.ensure_future(anext(answers))
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            # The iterable knows when this has ended, and nothing goes on.
            assert endless.is_closed.is_set()
            assert await asyncio.to_thread(ended.wait, GUARD_SECONDS)
            names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
            assert "_produce" not in names

    with watched_serving() as (serving, ended):
        asyncio.run(leave(serving, ended))


def test_streams_at_once(serving: Serving) -> None:
    """Those of one client don't mix."""

    async def one(client: aio.Client, number: int) -> list[float]:
        images = np.full((50, 784), number / 100, np.float32)
        return [
            float(answer.prediction.activations[0, 0])
            async for answer in client.predict_stream(images)
        ]

    async def several() -> list[list[float]]:
        async with aio.Client(serving.address) as client:
            return await asyncio.gather(*(one(client, number) for number in range(4)))

    found = asyncio.run(several())
    assert found == [[float(np.float32(number / 100))] * 50 for number in range(4)]
