"""Joined calls against the real server: labels, counters, the log, and errors as alone."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve import Client, InvalidRequest, Prediction, aio

CALLERS = 256
CALLS = 3


@pytest.fixture(scope="module")
def logging(repository: Path, lane: bool) -> Iterator[ServerProcess]:
    """A server that logs every call."""
    arguments = ("--log-calls", "1", "--max-batch-size", "100", *mode(lane))
    with start_server(repository, *arguments) as server:
        yield server


def images_counted(server: ServerProcess) -> float:
    return value(server, "mlpserve_images_total")


def from_threads(address: str, images: Batch) -> list[Prediction | InvalidRequest]:
    with Client(address, timeout_seconds=60, coalesce=True) as client:

        def call(number: int) -> Prediction | InvalidRequest:
            try:
                return client.predict(images[number], request_id=f"thread-{number}")
            except InvalidRequest as error:
                return error

        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(call, range(len(images))))


def from_tasks(address: str, images: Batch) -> list[Prediction | InvalidRequest]:
    async def run() -> list[Prediction | InvalidRequest]:
        async with aio.Client(address, timeout_seconds=60, coalesce=True) as client:

            async def call(number: int) -> Prediction | InvalidRequest:
                try:
                    return await client.predict(images[number], request_id=f"task-{number}")
                except InvalidRequest as error:
                    return error

            return await asyncio.gather(*map(call, range(len(images))))

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["thread", "task"])
def test_each_gets_its_own_answer(
    logging: ServerProcess, digits: tuple[Batch, Labels], kind: str
) -> None:
    images = digits[0][: CALLERS * CALLS].copy()
    bad = [7, 300, 301]
    images[bad, 5] = np.nan
    with Client(logging.grpc_address) as client:
        expected = client.predict(digits[0][: CALLERS * CALLS // 8])
        alone = {}
        for number in bad:
            with pytest.raises(InvalidRequest) as caught:
                client.predict(images[number])
            alone[number] = str(caught.value)
    before, lines = images_counted(logging), len(logging.log)
    ask = from_threads if kind == "thread" else from_tasks
    answers = ask(logging.grpc_address, images)
    for number, answer in enumerate(answers):
        if number in bad:
            assert isinstance(answer, InvalidRequest)
            assert (str(answer), answer.request_id) == (alone[number], f"{kind}-{number}")
            continue
        assert isinstance(answer, Prediction)
        if number < len(expected):
            assert answer.labels.tolist() == [expected.labels[number]]
            np.testing.assert_allclose(answer.activations[0], expected.activations[number], 1e-5)
    labels = [answer.labels[0] for answer in answers if isinstance(answer, Prediction)]
    right = np.delete(digits[1][: CALLERS * CALLS], bad)
    assert np.mean(np.array(labels) == right) > 0.9
    assert images_counted(logging) - before == len(images) - len(bad)

    def ids() -> list[str]:
        return [line["request_id"] for line in logging.log[lines:] if line.get("event") == "call"]

    # Each call is found by its id, and there were far fewer requests.
    wanted = {f"{kind}-{number}" for number in range(len(images))}
    wait_for(lambda: wanted <= {one for joined in ids() for one in joined.split(",")})
    assert len(ids()) < len(images) / 2
