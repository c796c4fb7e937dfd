"""Whatever calls come when: each ends as it would alone, and none is forgotten."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import grpc
import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from mlpserve import InvalidRequest, Prediction, Unavailable
from mlpserve.connection.loops import LoopMethod
from mlpserve.connection.settings import Settings
from mlpserve.errors import FEWER_IMAGES, from_rpc_error
from mlpserve.joining.tasks import Tasks
from mlpserve.protocol.predict import encode_request
from server.errors import InvalidField, NotReady
from server.rpc.status import status_of
from server.running.refusals import list_refused

SIZE = 8
SETTINGS = Settings.check("localhost:1", 60.0, None, None, None, False)
HEADS = (b"", b"\x0a\x01a")
BAD = 255


@dataclass(frozen=True, slots=True)
class Planned:
    """A call: when it comes and perhaps is cancelled, in steps of the loop, and what it holds."""

    step: int
    head: bytes
    value: int
    images: int = 1
    cancelled_after: int | None = None


class Refusal(grpc.RpcError):
    """How gRPC raises an error of the server."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._status = status_of(error)

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> Any:
        return self._status.trailing_metadata


class Network:
    """Answers after some steps, and knows how many requests were in flight for a head at once."""

    def __init__(self, delays: list[int], fails: int) -> None:
        self.delays, self.fails = delays, fails
        self.requests = self.failed = 0

    async def answer(self, request: bytes) -> Prediction:
        self.requests += 1
        number = self.requests
        for _ in range(1 + self.delays[number % len(self.delays)]):
            await asyncio.sleep(0)
        if self.fails and number % self.fails == 0:
            self.failed += 1
            raise Refusal(NotReady("not_ready", "not now"))
        levels = np.frombuffer(request.partition(b"|")[2], np.uint8).reshape(-1, SIZE)
        are_bad = np.logical_or.reduce(levels == BAD, axis=1)
        if are_bad.any():
            message = f"pixels: image {are_bad.argmax()} is bad"
            raise Refusal(InvalidField("not_finite", message, "pixels", list_refused(are_bad)))
        labels = levels[:, 0].astype(np.int64)
        return Prediction(labels, levels.astype(np.float32), ("a",) * BAD, "one", 1)


class Begin:
    """What stands for a method of gRPC's."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, request: bytes, **_: object) -> "Begun":
        return Begun(self._network, body(request))

    def explain_cancelled(self) -> None:
        return None


class Begun:
    """What stands for a call of gRPC's."""

    def __init__(self, network: Network, request: bytes) -> None:
        self._task = asyncio.ensure_future(network.answer(request))

    def __await__(self) -> Any:
        return self._task.__await__()

    def cancel(self) -> None:
        self._task.cancel()


def body(request: bytes, heads: tuple[bytes, ...] = HEADS) -> bytes:
    """Return HEAD|PIXELS of a request as `encode_joined` writes it."""
    head = max((head for head in heads if request.startswith(head)), key=len)
    # The tag of pixels_u8 and the size stand between.
    rest = request[len(head) + 1 :]
    while rest[0] & 0x80:
        rest = rest[1:]
    return head + b"|" + rest[1:]


def pixels_of(planned: Planned) -> npt.NDArray[np.uint8]:
    return np.full((planned.images, SIZE), planned.value, np.uint8)


calls = st.builds(
    Planned,
    step=st.integers(0, 12),
    head=st.sampled_from(HEADS),
    value=st.one_of(st.integers(0, 254), st.just(BAD)),
    images=st.sampled_from([1, 1, 1, 2]),
    cancelled_after=st.one_of(st.none(), st.integers(0, 12)),
)


async def ends(plan: list[Planned], network: Network) -> list[Any]:
    """Make calls as planned; returns their answers and errors."""

    async def ask(request: bytes, *_: object) -> Prediction:
        try:
            return await network.answer(body(request))
        except grpc.RpcError as error:
            raise from_rpc_error(error, "localhost:1", FEWER_IMAGES) from error

    joined = Tasks(
        ask,
        cast(LoopMethod, Begin(network)),
        lambda answer: answer,  # type: ignore[arg-type, return-value]
        SETTINGS,
    )

    async def call(planned: Planned) -> Prediction:
        for _ in range(planned.step):
            await asyncio.sleep(0)
        pixels = pixels_of(planned)
        request = encode_request(planned.head, pixels)
        return await joined.predict(planned.head, request, pixels, None, None)

    async def cancel(task: "asyncio.Task[Prediction]", steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

    tasks = [asyncio.create_task(call(planned)) for planned in plan]
    cancels = [
        asyncio.create_task(cancel(task, planned.step + planned.cancelled_after))
        for task, planned in zip(tasks, plan, strict=True)
        if planned.cancelled_after is not None
    ]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*cancels)
    # Senders whose group was abandoned need some steps to hear of it.
    for _ in range(50):
        await asyncio.sleep(0)
    assert not joined._queues
    assert not joined._senders
    assert joined._alarm is None
    return results


def check(planned: Planned, result: Any, n_failed: int) -> None:
    """Fail unless a call ended as it would alone."""
    if isinstance(result, asyncio.CancelledError):
        assert planned.cancelled_after is not None
    elif isinstance(result, Unavailable):
        assert n_failed
    elif planned.value == BAD:
        assert isinstance(result, InvalidRequest)
        assert str(result) == "pixels: image 0 is bad"
    else:
        assert isinstance(result, Prediction)
        assert result.labels.tolist() == [planned.value] * planned.images
        assert result.activations.tolist() == pixels_of(planned).tolist()


@given(
    st.lists(calls, min_size=1, max_size=40),
    st.lists(st.integers(0, 8), min_size=1, max_size=5),
    st.sampled_from([0, 0, 2, 5]),
)
def test_each_call_ends_as_alone(plan: list[Planned], delays: list[int], fails: int) -> None:
    network = Network(delays, fails)
    results = asyncio.run(ends(plan, network))
    for planned, result in zip(plan, results, strict=True):
        check(planned, result, network.failed)
    errors = [result for result in results if isinstance(result, Exception)]
    assert len({id(error) for error in errors}) == len(errors)
    if not fails:
        # One more call for each bad image, and one for the rest of its group.
        n_bad = sum(planned.value == BAD for planned in plan)
        assert network.requests <= len(plan) + 2 * n_bad
