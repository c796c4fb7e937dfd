"""What only the client for asyncio promises: tasks, cancellation, event loops. What both clients
promise is tested with both.
"""

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness import certificate
from harness.waiting import PATIENCE_SECONDS
from mlpserve import Client, MlpserveError, Prediction, Tls, aio
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import N_CLASSES, Serving, classify, start_serving

IMAGE = np.random.default_rng(4).random(784, dtype=np.float32)
METHODS = sorted(
    name
    for name, value in vars(Client).items()
    if not name.startswith("_") and inspect.isfunction(value)
)


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_both_clients_have_the_same_methods(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (aio.Client, Client))
    # Images may come from asynchronous iterables too.
    described = [
        [(one.name, one.kind, one.default, one.name == "images" or one.annotation) for one in kind]
        for kind in (ours.parameters.values(), theirs.parameters.values())
    ]
    assert described[0] == described[1]
    if inspect.iscoroutinefunction(getattr(aio.Client, name)):
        assert ours.return_annotation == theirs.return_annotation


def test_there_is_nothing_else_and_it_refers_to_the_other() -> None:
    kinds = [
        {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        for kind in (aio.Client, Client)
    ]
    assert kinds[0].keys() == kinds[1].keys()
    assert {*METHODS} > {"predict", "list_models", "get_network", "is_ready", "wait_until_ready"}
    for name in {*METHODS} - {"close"}:
        assert f"mlpserve.Client.{name}" in (kinds[0][name].__doc__ or "")
    assert "mlpserve.Client" in (aio.Client.__doc__ or "")


@dataclass(slots=True)
class Held:
    """A server whose calls last until they are cancelled or it is `over`."""

    serving: Serving = field(default_factory=Serving)
    began: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(
        self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> classifier_pb2.PredictResponse:
        if request.model == "quick":
            return classify(request)
        context.add_callback(self.ended.set)
        self.began.set()
        assert self.over.wait(PATIENCE_SECONDS)
        return classify(request)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self.began.wait, PATIENCE_SECONDS)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    with start_serving(made.answer) as made.serving:
        yield made
        made.over.set()


def test_a_cancelled_task_cancels_its_call(held: Held) -> None:
    async def main() -> Prediction:
        async with aio.Client(held.serving.address, timeout_seconds=PATIENCE_SECONDS) as client:
            task = asyncio.create_task(client.predict(IMAGE))
            await held.begun()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # The server hears of it while the client is open.
            assert await asyncio.to_thread(held.ended.wait, PATIENCE_SECONDS)
            return await client.predict(IMAGE, model="quick")

    assert len(asyncio.run(main())) == 1


def test_a_timeout_of_asyncio_cancels_the_call(held: Held) -> None:
    async def predict(client: aio.Client) -> None:
        async with asyncio.timeout(None) as limit:
            began = asyncio.create_task(held.begun())
            began.add_done_callback(lambda _: limit.reschedule(0))
            await client.predict(IMAGE)

    async def main() -> None:
        async with aio.Client(held.serving.address, timeout_seconds=PATIENCE_SECONDS) as client:
            with pytest.raises(TimeoutError):
                await predict(client)
            assert await asyncio.to_thread(held.ended.wait, PATIENCE_SECONDS)

    asyncio.run(main())


def test_one_of_a_group_fails_and_the_others_are_cancelled(held: Held) -> None:
    async def fail() -> None:
        await held.begun()
        raise LookupError

    async def both(client: aio.Client) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.predict(IMAGE))
            group.create_task(fail())

    async def main() -> None:
        async with aio.Client(held.serving.address, timeout_seconds=PATIENCE_SECONDS) as client:
            with pytest.raises(ExceptionGroup) as caught:
                await both(client)
            assert caught.group_contains(LookupError)
            assert await asyncio.to_thread(held.ended.wait, PATIENCE_SECONDS)

    asyncio.run(main())


@pytest.mark.parametrize("in_parts", [False, True])
def test_calls_in_progress_end_with_an_error_when_the_client_is_closed(
    in_parts: bool, held: Held
) -> None:
    async def main() -> None:
        client = aio.Client(held.serving.address, timeout_seconds=PATIENCE_SECONDS)
        images: Any = iter([IMAGE]) if in_parts else IMAGE
        task = asyncio.create_task(client.predict(images))
        await held.begun()
        await client.close()
        with pytest.raises(MlpserveError, match="did not answer before the client was closed"):
            await task
        assert await asyncio.to_thread(held.ended.wait, PATIENCE_SECONDS)

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_its_client_is_closed_stays_cancelled(held: Held) -> None:
    async def main() -> None:
        client = aio.Client(held.serving.address, timeout_seconds=PATIENCE_SECONDS)
        task = asyncio.create_task(client.predict(IMAGE))
        await held.begun()
        task.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_closed_client_says_so(serving: Serving) -> None:
    async def main() -> None:
        used, unused = aio.Client(serving.address), aio.Client(serving.address)
        await used.predict(IMAGE)
        for client in (used, unused):
            await client.close()
            await client.close()
            with pytest.raises(ValueError, match="the client is closed; make another one"):
                await client.predict(IMAGE)
            with pytest.raises(ValueError, match="closed"):
                await client.is_ready()

    asyncio.run(main())


def test_many_tasks_share_a_client(serving: Serving) -> None:
    images = np.random.default_rng(5).random((300, 784), dtype=np.float32)

    async def main() -> list[Prediction]:
        async with aio.Client(serving.address, timeout_seconds=PATIENCE_SECONDS) as client:
            return await asyncio.gather(*map(client.predict, images))

    for image, prediction in zip(images, asyncio.run(main()), strict=True):
        assert prediction.activations[0].tolist() == image[:N_CLASSES].tolist()


def test_a_client_made_without_a_loop_goes_from_one_to_the_next(serving: Serving) -> None:
    client = aio.Client(serving.address)
    for _ in range(2):
        assert len(asyncio.run(client.predict(IMAGE))) == 1
    # That of the last call is closed.
    asyncio.run(client.close())
    with pytest.raises(ValueError, match="closed"):
        asyncio.run(client.predict(IMAGE))


def test_a_client_belongs_to_one_loop(serving: Serving) -> None:
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        client = aio.Client(serving.address)
        loop.run_until_complete(client.predict(IMAGE))
        for called in (client.predict(IMAGE), client.is_ready(), client.close()):
            with pytest.raises(RuntimeError, match="this client belongs to another event loop"):
                asyncio.run(called)
        # In its own it works on.
        assert len(loop.run_until_complete(client.predict(IMAGE))) == 1
        loop.run_until_complete(client.close())


def test_tls_and_a_token(tmp_path: Path) -> None:
    authority = certificate.make(tmp_path, "authority")
    its = certificate.sign(authority, tmp_path, "server")
    pair = its.key_file.read_bytes(), its.certificate_file.read_bytes()
    sent: list[Any] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        sent.append(dict(context.invocation_metadata()).get("authorization"))
        return classify(request)

    async def main(address: str) -> None:
        tls = Tls(ca=authority.certificate_file)
        async with aio.Client(address, tls=tls, token="secret") as client:
            assert len(await client.predict(IMAGE)) == 1

    with start_serving(answer, credentials=grpc.ssl_server_credentials([pair])) as serving:
        asyncio.run(main(serving.address))
    assert sent == ["Bearer secret"]
