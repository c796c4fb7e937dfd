"""Sends parts from a task of an event loop."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import grpc

from mlpserve.errors import MlpserveError
from mlpserve.parts.caller import Caller
from mlpserve.parts.collecting import Collector
from mlpserve.parts.cutting import LIMITS, Cutter, Limits
from mlpserve.parts.inputs import count_images, items_of
from mlpserve.parts.progress import Progress
from mlpserve.parts.steps import END, Asked, Call, Pause, Pull, Steps, Wait, predict_steps
from mlpserve.prediction import Prediction


async def predict_all(
    caller: Caller, images: Any, asked: Asked, timeout_seconds: float | None, progress: bool | None
) -> Prediction:
    """Return the prediction of all images; see `predict_parts`."""
    n_images = count_images(images)
    collector = Collector(n_images)
    parts = predict_parts(caller, images, asked, timeout_seconds)
    try:
        with Progress(n_images, progress) as bar:
            async with contextlib.aclosing(parts):
                async for prediction in parts:
                    collector.add(prediction)
                    bar.advance(len(prediction))
    except MlpserveError as error:
        error.request_id = caller.request_id
        raise
    return collector.result()


def predict_parts(
    caller: Caller,
    images: Any,
    asked: Asked,
    timeout_seconds: float | None = None,
    limits: Limits = LIMITS,
) -> AsyncGenerator[Prediction, None]:
    """Yield the predictions of images, an array or an iterable, asynchronous or not, of arrays,
    part by part.
    """

    def send(request: bytes, timeout: float) -> Call:
        call: Call = caller.method(request, timeout=timeout, metadata=caller.settings.metadata)
        return call

    seconds = caller.seconds(timeout_seconds)
    is_async = hasattr(images, "__aiter__")
    items, are_items = (aiter(images), True) if is_async else items_of(images)
    cutter = Cutter(are_items=are_items, limits=limits)
    return _drive(predict_steps(cutter, asked, send, seconds, limits), items, caller)


async def _drive(
    steps: Steps, items: Iterator[Any] | AsyncIterator[Any], caller: Caller
) -> AsyncGenerator[Prediction, None]:
    """Do what the steps say."""
    reply: Any = None
    try:
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            reply = None
            match step:
                case Pull():
                    reply = await pull(items)
                case Wait():
                    reply = await _wait(step.call, caller)
                case Pause():
                    await asyncio.sleep(step.seconds)
                case Prediction():
                    yield step
    finally:
        steps.close()


async def pull(items: Iterator[Any] | AsyncIterator[Any]) -> Any:
    """Return the next item, or `END`."""
    if isinstance(items, AsyncIterator):
        return await anext(items, END)
    return next(items, END)


async def _wait(call: Any, caller: Caller) -> Prediction | MlpserveError:
    try:
        response = await call
        told = await call.trailing_metadata() if caller.is_timed else ()
    except grpc.RpcError as error:
        return caller.explain(error)
    except asyncio.CancelledError as error:
        if (explained := caller.method.explain_cancelled()) is not None:
            raise explained from error
        raise
    return caller.read(response, told)
