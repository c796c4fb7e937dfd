"""The client for asyncio as one for threads, so that both pass the same tests."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from harness.waiting import PATIENCE_SECONDS
from mlpserve import Model, Network, Prediction, aio

Found = TypeVar("Found")


class BlockingClient:
    """Has the calls of `mlpserve.aio.Client` made by an event loop in a thread of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = aio.Client(*arguments, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _run(self, called: Coroutine[Any, Any, Found]) -> Found:
        return asyncio.run_coroutine_threadsafe(called, self._loop).result(PATIENCE_SECONDS)

    @property
    def address(self) -> str:
        return self._client.address

    def predict(self, images: Any, **options: Any) -> Prediction:
        return self._run(self._client.predict(images, **options))

    def list_models(self, **options: Any) -> tuple[Model, ...]:
        return self._run(self._client.list_models(**options))

    def get_network(self, **options: Any) -> Network:
        return self._run(self._client.get_network(**options))

    def is_ready(self, **options: Any) -> bool:
        return self._run(self._client.is_ready(**options))

    def wait_until_ready(self, timeout_seconds: float) -> None:
        self._run(self._client.wait_until_ready(timeout_seconds))

    def close(self) -> None:
        self._run(self._client.close())

    def end(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
