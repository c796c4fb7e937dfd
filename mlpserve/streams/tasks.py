"""A stream for asyncio: one task asks the caller's iterable for items, the caller's reads."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

import grpc

from mlpserve.parts.caller import Caller
from mlpserve.parts.steps import END
from mlpserve.parts.tasks import pull
from mlpserve.streams import writing
from mlpserve.streams.answer import Answer
from mlpserve.streams.flight import Flight
from mlpserve.timing import read_timing


async def predict_stream(
    caller: Caller, images: Any, head: bytes, timeout_seconds: float
) -> AsyncGenerator[Answer, None]:
    """Yield an answer for each item, which gets `timeout_seconds` from when it is waited for."""
    flight = Flight(caller.settings, caller.reader, head)
    items = aiter(images) if hasattr(images, "__aiter__") else iter(images)
    call: Any = caller.method(None, timeout=None, metadata=caller.settings.metadata)
    changed = asyncio.Event()
    call.add_done_callback(lambda _: changed.set())
    responses = aiter(call)
    producing = asyncio.create_task(_produce(flight, items, call, changed))
    producing.add_done_callback(lambda _: changed.set())
    try:
        while True:
            while not len(flight) and not producing.done() and not call.done():
                changed.clear()
                await changed.wait()
            if not len(flight) and producing.done():
                break
            if len(flight) and flight.oldest.error is not None:
                response = b""
            else:
                try:
                    async with asyncio.timeout(timeout_seconds):
                        read = await anext(responses, None)
                except TimeoutError:
                    raise flight.ended(caller.late(timeout_seconds)) from None
                except grpc.RpcError as error:
                    raise flight.ended(caller.explain(error)) from error
                if read is None or not len(flight):
                    raise flight.ended_early()
                response = read
            item = flight.oldest
            flight.pop()
            changed.set()
            yield flight.read(item, response)
        if caller.is_timed:
            with contextlib.suppress(grpc.RpcError, TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    await anext(responses, None)
                    flight.ending.timing = read_timing(await call.trailing_metadata())
    finally:
        call.cancel()
        producing.cancel()
        # The iterable has been told when this ends.
        await asyncio.wait([producing])
        failure = None if producing.cancelled() else producing.exception()
    if failure is not None:
        raise failure


async def _produce(
    flight: Flight, items: Iterator[Any] | AsyncIterator[Any], call: Any, changed: asyncio.Event
) -> None:
    """Ask the iterator for items, each once there is room for it, and send them."""
    is_exhausted = False
    try:
        while True:
            while not flight.has_room:
                changed.clear()
                await changed.wait()
            images = await pull(items)
            if images is END:
                is_exhausted = True
                break
            item = flight.prepare(images)
            del images
            flight.add(item)
            changed.set()
            if item.error is None:
                await writing.write(call, item.request)
    finally:
        if not is_exhausted:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
            elif isinstance(items, Generator):
                items.close()
        await writing.end(call)
