"""A server that holds answers back until a test lets them go, and callers of both clients."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
import numpy as np
import numpy.typing as npt

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import Client, Prediction, aio
from mlpserve.joining.queues import MAX_FLIGHTS
from mlpserve.v1 import classifier_pb2
from server.errors import InvalidField
from server.rpc.status import status_of
from server.running.refusals import list_refused
from tests.mlpserve.serving import N_CLASSES, N_PIXELS, Answer, classify, start_serving

Image = npt.NDArray[np.float32]


def image(number: int) -> Image:
    """An image that is told from others by the activations that it is answered with."""
    pixels = np.zeros(N_PIXELS, np.float32)
    pixels[: N_CLASSES - 1] = [number >> bit & 1 for bit in range(N_CLASSES - 1)]
    pixels[N_CLASSES - 1] = 0.5
    return pixels


BAD = np.full(N_PIXELS, np.nan, np.float32)


def refuse_bad(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
    """Classify, and refuse images that are not numbers as the server does."""
    size = len(request.pixels)
    if size % N_PIXELS:
        refuse(context, InvalidField("pixel_count", f"pixels has {size} values", "pixels"))
    pixels = np.array(request.pixels, np.float32).reshape(-1, N_PIXELS)
    are_bad = np.logical_or.reduce(np.isnan(pixels), axis=1)
    if are_bad.any():
        message = f"pixels: image {are_bad.argmax()}, pixel 0 is nan"
        refuse(context, InvalidField("not_finite", message, "pixels", list_refused(are_bad)))
    return classify(request)


def refuse(context: grpc.ServicerContext, error: Exception) -> None:
    """End a call with an error of the server."""
    context.abort_with_status(status_of(error))


@dataclass(slots=True)
class Arrived:
    """A request: how many images it holds, its ids, the seconds that it may take."""

    request: classifier_pb2.PredictRequest
    images: int
    request_ids: str | None
    seconds: float
    go: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)


class Held:
    """Answers requests once they, or all, are let go."""

    def __init__(self, answer: Answer) -> None:
        self.arrived: list[Arrived] = []
        self.address = ""
        self._answer, self._lock, self._is_open = answer, threading.Lock(), False

    def __call__(
        self, request: classifier_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> Any:
        metadata: dict[str, Any] = dict(context.invocation_metadata())
        size = len(request.pixels) or len(request.pixels_u8)
        one = Arrived(
            request, size // N_PIXELS, metadata.get("x-request-id"), context.time_remaining()
        )
        context.add_callback(one.is_over.set)
        with self._lock:
            self.arrived.append(one)
            if self._is_open:
                one.go.set()
        while not (one.go.wait(0.01) or one.is_over.is_set()):
            pass
        return self._answer(request, context)

    def open(self, after: int = 0) -> None:
        """Answer all that are there, and those to come once so many have arrived in all: how large
        a group is depends on whether the one before it is still in flight.
        """
        with self._lock:
            for one in self.arrived:
                one.go.set()
        self.wait(after)
        with self._lock:
            self._is_open = True
            for one in self.arrived:
                one.go.set()

    def wait(self, requests: int) -> None:
        """Return once so many requests have arrived."""
        wait_for(lambda: len(self.arrived) >= requests)

    @property
    def sizes(self) -> list[int]:
        """How many images each request holds."""
        return [one.images for one in self.arrived]


class Caller(Protocol):
    """Makes calls of a client that run beside the test."""

    def call(self, images: npt.ArrayLike, **options: Any) -> "Future[Prediction]":
        """Begin a call."""

    def waiting(self) -> int:
        """How many calls wait to be sent, or for their group's answer."""

    def close(self) -> None:
        """Close the client."""


class ThreadCaller:
    """Calls of `mlpserve.Client`, each in a thread."""

    def __init__(self, address: str, pool: ThreadPoolExecutor, **options: Any) -> None:
        self._client, self._pool = Client(address, coalesce=True, **options), pool

    def call(self, images: npt.ArrayLike, **options: Any) -> "Future[Prediction]":
        return self._pool.submit(self._client.predict, images, **options)

    def waiting(self) -> int:
        waiting = 0
        for joined in (self._client._joined, self._client._joined_timed):
            assert joined is not None
            with joined._lock:
                waiting += len(list(joined._queues.pending()))
        return waiting

    def close(self) -> None:
        self._client.close()


class TaskCaller:
    """Calls of `mlpserve.aio.Client`, each in a task of a loop that has a thread."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        self._loop = loop

        async def connect() -> aio.Client:
            return aio.Client(address, coalesce=True, **options)

        self._client = self._run(connect())

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def call(self, images: npt.ArrayLike, **options: Any) -> "Future[Prediction]":
        return asyncio.run_coroutine_threadsafe(self._client.predict(images, **options), self._loop)

    def waiting(self) -> int:
        async def count() -> int:
            waiting = 0
            for joined in (self._client._joined, self._client._joined_timed):
                assert joined is not None
                waiting += len(list(joined._queues.pending()))
            return waiting

        return int(self._run(count()))

    def close(self) -> None:
        self._run(self._client.close())


@contextlib.contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def callers(kind: str, address: str, **options: Any) -> Iterator[Caller]:
    """A client whose calls are those of "threads" or "tasks"."""
    with contextlib.ExitStack() as stack:
        caller: Caller
        if kind == "threads":
            pool = stack.enter_context(ThreadPoolExecutor(300))
            caller = ThreadCaller(address, pool, **options)
        else:
            caller = TaskCaller(address, stack.enter_context(running_loop()), **options)
        stack.callback(caller.close)
        yield caller


@contextlib.contextmanager
def holding(answer: Answer = refuse_bad) -> Iterator[Held]:
    """A server that holds back its answers until the block ends, or the test lets them go."""
    held = Held(answer)
    with start_serving(held) as serving:
        held.address = serving.address
        try:
            yield held
        finally:
            held.open()


def occupy(held: Held, caller: Caller, **options: Any) -> "list[Future[Prediction]]":
    """Make the calls behind which all others of their kind wait."""
    before = len(held.arrived)
    calls = []
    for number in range(MAX_FLIGHTS):
        calls.append(caller.call(image(number), **options))
        held.wait(before + number + 1)
    return calls


def enqueue(
    caller: Caller, images: list[Image], options: Callable[[int], dict[str, Any]] = lambda _: {}
) -> "list[Future[Prediction]]":
    """Make calls, one after the other, that wait, or are over already."""
    calls: list[Future[Prediction]] = []
    before = caller.waiting()

    def is_there() -> bool:
        return caller.waiting() + sum(call.done() for call in calls) >= before + len(calls)

    for number, one in enumerate(images):
        calls.append(caller.call(one, **options(number)))
        wait_for(is_there)
    return calls


def numbers(calls: "list[Future[Prediction]]") -> list[int]:
    """What the answers to calls say their images are."""
    found = []
    for call in calls:
        prediction = call.result(PATIENCE_SECONDS)
        assert prediction.labels.shape == (1,)
        bits = prediction.activations[0, : N_CLASSES - 1]
        found.append(sum(1 << bit for bit, is_set in enumerate(bits) if is_set))
    return found
