"""A stream for threads: gRPC's thread asks the caller's iterable for items, the caller's reads."""

import contextlib
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import grpc

from mlpserve.parts.caller import Caller
from mlpserve.streams.answer import Answer
from mlpserve.streams.flight import Flight, Item
from mlpserve.streams.watchdog import Watchdog
from mlpserve.timing import read_timing


def predict_stream(
    caller: Caller, images: Iterable[Any], head: bytes, timeout_seconds: float
) -> Generator[Answer, None, None]:
    """Yield an answer for each item, which gets `timeout_seconds` from when it is waited for."""
    flight = Flight(caller.settings, caller.reader, head)
    producer = _Producer(flight, iter(images))
    requests = producer.requests()
    call: Any = caller.method(requests, timeout=None, metadata=caller.settings.metadata)
    if not call.add_callback(producer.end):
        producer.end()
    watchdog = Watchdog(timeout_seconds, call.cancel)
    watchdog.start()
    try:
        while (item := producer.wait_for_item()) is not None:
            response = b""
            if item.error is None:
                watchdog.begin()
                try:
                    read = next(call, None)
                except grpc.RpcError as error:
                    if watchdog.has_bitten:
                        raise flight.ended(caller.late(timeout_seconds)) from None
                    raise flight.ended(caller.explain(error)) from error
                watchdog.end()
                if read is None or not len(flight):
                    raise flight.ended_early()
                response = read
            producer.pop()
            yield flight.read(item, response)
        if caller.is_timed:
            watchdog.begin()
            with contextlib.suppress(grpc.RpcError):
                next(call, None)
            flight.ending.timing = read_timing(call.trailing_metadata())
            watchdog.end()
    finally:
        producer.stop()
        call.cancel()
        # It ends by itself when it is running; otherwise gRPC may keep it for a while.
        with contextlib.suppress(ValueError):
            requests.close()
        watchdog.close()
    if producer.error is not None:
        raise producer.error


class _Producer:
    """Asks an iterator for items, each once there is room for it, on the thread that sends them."""

    def __init__(self, flight: Flight, items: Iterator[Any]) -> None:
        self._flight, self._items = flight, items
        self._changed = threading.Condition()
        self._is_exhausted = self._is_stopped = self._is_ended = False
        self.error: Exception | None = None
        """What the iterator raised."""

    def requests(self) -> Generator[bytes, None, None]:
        """Yield the requests for gRPC to send."""
        try:
            while self._wait_for_room():
                try:
                    images = next(self._items)
                except StopIteration:
                    return
                except Exception as error:  # noqa: BLE001  # raised where answers are waited for
                    self.error = error
                    return
                item = self._flight.prepare(images)
                # The iterator may reuse its memory, and nobody else needs it.
                del images
                with self._changed:
                    if self._is_stopped:
                        return
                    self._flight.add(item)
                    self._changed.notify_all()
                if item.error is None:
                    yield item.request
        finally:
            with self._changed:
                self._is_exhausted = True
                self._changed.notify_all()
                is_early = self._is_stopped
            if is_early and isinstance(self._items, Generator):
                self._items.close()

    def wait_for_item(self) -> Item | None:
        """Return the oldest item as soon as there is one, None if no more comes. When the call has
        ended meanwhile, an item that stands for those that it would have answered.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._flight) or self._is_exhausted or self._is_ended
            )
            if len(self._flight):
                return self._flight.oldest
            return None if self._is_exhausted else Item()

    def pop(self) -> None:
        """Make room: the oldest item is answered."""
        with self._changed:
            self._flight.pop()
            self._changed.notify_all()

    def end(self) -> None:
        """Note that the call has ended."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Ask for no more items."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        """Return as soon as there is room, False if no item is wanted any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._flight.has_room or self._is_stopped)
            return not self._is_stopped
