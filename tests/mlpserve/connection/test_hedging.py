"""Second attempts: when they are made, which answer wins, and that they are bounded."""

import asyncio
import json
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import (
    Client,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    Prediction,
    Unavailable,
    aio,
)
from mlpserve.connection.hedging import MAX_HEDGES, HedgeBudget
from mlpserve.connection.options import Options
from mlpserve.v1 import classifier_pb2
from server.errors import Overloaded as Refusal
from server.rpc.status import status_of
from tests.mlpserve.serving import Serving, classify, start_serving

IMAGE = np.zeros(784, np.uint8)
SOON = 0.02
NEVER = 10_000.0


class Director:
    """Hands each call to the test, which says how it ends: by a code, or None for an answer.

    `connections` are those that calls came over.
    """

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[queue.SimpleQueue[Any]] = queue.SimpleQueue()
        self.connections: list[str] = []
        self.cancelled = 0

    def answer(self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        ending: queue.SimpleQueue[Any] = queue.SimpleQueue()
        context.add_callback(lambda: ending.put("over"))
        self.connections.append(context.peer())
        self.arrived.put(ending)
        code = ending.get(timeout=PATIENCE_SECONDS)
        if code == "over":
            self.cancelled += 1
        elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            status = status_of(Refusal("queue_full", "full"))
            context.set_trailing_metadata(status.trailing_metadata)
            context.abort(code, "full")
        elif code is not None:
            context.abort(code, "no")
        return classify(request)

    def next(self) -> "queue.SimpleQueue[Any]":
        return self.arrived.get(timeout=PATIENCE_SECONDS)


@pytest.fixture
def director() -> Director:
    return Director()


@pytest.fixture
def directed(director: Director) -> Iterator[Serving]:
    with start_serving(director.answer) as serving:
        yield serving


@pytest.fixture(params=["threads", "asyncio"])
def is_aio(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "asyncio")


def predict(address: str, is_aio: bool, **options: Any) -> Prediction:
    """Ask for one image with a client of one kind."""
    options = {"hedge_after_seconds": SOON, "retries": 0, "timeout_seconds": 60, **options}
    if not is_aio:
        with Client(address, **options) as client:
            return client.predict(IMAGE)

    async def ask() -> Prediction:
        async with aio.Client(address, **options) as client:
            return await client.predict(IMAGE)

    return asyncio.run(ask())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_good_answer_wins(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool, winner: int
) -> None:
    asking = pool.submit(predict, directed.address, is_aio)
    attempts = [director.next(), director.next()]
    assert not asking.done()
    attempts[winner].put(None)
    assert len(asking.result(PATIENCE_SECONDS)) == 1
    # The other one is cancelled, and came over another connection.
    wait_for(lambda: director.cancelled == 1)
    assert len(set(director.connections)) == 2


def test_a_call_that_is_in_time_is_made_once(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool
) -> None:
    asking = pool.submit(predict, directed.address, is_aio, hedge_after_seconds=NEVER)
    director.next().put(None)
    assert len(asking.result(PATIENCE_SECONDS)) == 1
    assert len(director.connections) == 1


@pytest.mark.parametrize("loser", [0, 1])
@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED],
)
def test_one_attempt_makes_up_for_the_other(
    directed: Serving,
    director: Director,
    pool: ThreadPoolExecutor,
    is_aio: bool,
    code: grpc.StatusCode,
    loser: int,
) -> None:
    asking = pool.submit(predict, directed.address, is_aio)
    attempts = [director.next(), director.next()]
    attempts[loser].put(code)
    attempts[1 - loser].put(None)
    assert len(asking.result(PATIENCE_SECONDS)) == 1


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_wrong_with_the_request_ends_the_call(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool, first: int
) -> None:
    asking = pool.submit(predict, directed.address, is_aio)
    attempts = [director.next(), director.next()]
    attempts[first].put(grpc.StatusCode.INVALID_ARGUMENT)
    with pytest.raises(InvalidRequest, match="no"):
        asking.result(PATIENCE_SECONDS)
    wait_for(lambda: director.cancelled == 1)


def test_when_both_fail_so_does_the_call(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool
) -> None:
    asking = pool.submit(predict, directed.address, is_aio)
    attempts = [director.next(), director.next()]
    attempts[1].put(grpc.StatusCode.RESOURCE_EXHAUSTED)
    attempts[0].put(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises((Overloaded, Unavailable)):
        asking.result(PATIENCE_SECONDS)


def test_an_early_error_is_not_hedged(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool
) -> None:
    asking = pool.submit(predict, directed.address, is_aio, hedge_after_seconds=NEVER)
    director.next().put(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(Unavailable):
        asking.result(PATIENCE_SECONDS)
    assert len(director.connections) == 1


def test_both_attempts_end_with_the_call(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, is_aio: bool
) -> None:
    asking = pool.submit(predict, directed.address, is_aio, timeout_seconds=1)
    with pytest.raises(DeadlineExceeded):
        asking.result(PATIENCE_SECONDS)
    wait_for(lambda: director.cancelled == len(director.connections))


def test_a_cancelled_task_cancels_both_attempts(directed: Serving, director: Director) -> None:
    async def ask() -> None:
        async with aio.Client(directed.address, hedge_after_seconds=SOON) as client:
            task = asyncio.ensure_future(client.predict(IMAGE))
            for _ in range(2):
                await asyncio.to_thread(director.next)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(wait_for, lambda: director.cancelled == 2)

    asyncio.run(ask())


def test_second_attempts_are_bounded() -> None:
    budget = HedgeBudget()
    assert [budget.spend() for _ in range(int(MAX_HEDGES))] == [True] * int(MAX_HEDGES)
    assert not budget.spend()
    for _ in range(11):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(100_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == MAX_HEDGES


def test_without_budget_a_late_call_is_waited_for(
    directed: Serving, director: Director, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def refuse(_: HedgeBudget) -> bool:
        asked.set()
        return False

    monkeypatch.setattr(HedgeBudget, "spend", refuse)
    asking = pool.submit(predict, directed.address, False)
    attempt = director.next()
    assert asked.wait(PATIENCE_SECONDS)
    attempt.put(None)
    assert len(asking.result(PATIENCE_SECONDS)) == 1
    assert len(director.connections) == 1


def test_grpc_ignores_the_hedging_policy(
    directed: Serving, director: Director, pool: ThreadPoolExecutor
) -> None:
    """Once this fails, the hedging here can give way to gRPC's own."""
    policy = {"maxAttempts": 2, "hedgingDelay": "0.001s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
    config = json.dumps({"methodConfig": [{"name": [{}], "hedgingPolicy": policy}]})
    options: Options = {"grpc.service_config": config, "grpc.experimental.enable_hedging": 1}
    with Client(directed.address, options=options, timeout_seconds=60) as client:
        asking = pool.submit(client.predict, IMAGE)
        attempt = director.next()
        # A call that is made later, and whose time is over, is as late as a hedge would be.
        with pytest.raises(DeadlineExceeded):
            client.predict(IMAGE, timeout_seconds=0.5)
        attempt.put(None)
        asking.result(PATIENCE_SECONDS)
    assert len(director.connections) == 2
