"""Sends parts from a thread: several calls in flight, no thread more."""

import contextlib
import time
from collections.abc import Generator, Iterator
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


def predict_all(
    caller: Caller, images: Any, asked: Asked, timeout_seconds: float | None, progress: bool | None
) -> Prediction:
    """Return the prediction of all images; see `predict_parts`."""
    n_images = count_images(images)
    collector = Collector(n_images)
    parts = predict_parts(caller, images, asked, timeout_seconds)
    try:
        with Progress(n_images, progress) as bar, contextlib.closing(parts):
            for prediction in parts:
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
) -> Generator[Prediction, None, None]:
    """Yield the predictions of images, an array or an iterable of arrays, part by part."""

    def send(request: bytes, timeout: float) -> Call:
        call: Call = caller.method.future(
            request, timeout=timeout, metadata=caller.settings.metadata
        )
        return call

    seconds = caller.seconds(timeout_seconds)
    items, are_items = items_of(images)
    cutter = Cutter(are_items=are_items, limits=limits)
    return _drive(predict_steps(cutter, asked, send, seconds, limits), items, caller)


def _drive(steps: Steps, items: Iterator[Any], caller: Caller) -> Generator[Prediction, None, None]:
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
                    reply = next(items, END)
                case Wait():
                    reply = _wait(step.call, caller)
                case Pause():
                    time.sleep(step.seconds)
                case Prediction():
                    yield step
    finally:
        steps.close()


def _wait(call: Any, caller: Caller) -> Prediction | MlpserveError:
    try:
        response = call.result()
    except grpc.RpcError as error:
        return caller.explain(error)
    return caller.read(response, call.trailing_metadata() if caller.is_timed else ())
