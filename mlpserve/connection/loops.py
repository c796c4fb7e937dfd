"""The channels of a client for asyncio: they are opened by the first call, for the event loop that
runs then.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mlpserve.connection.aio_channels import AioChannels
from mlpserve.connection.forks import PROCESS
from mlpserve.connection.settings import Settings
from mlpserve.errors import MlpserveError

_OTHER_LOOP = (
    "this client belongs to another event loop, which is not closed: use it there, and make "
    "another client for this loop"
)
_CLOSED = "the client is closed; make another one"


class LoopChannel:
    """Opens a channel for the running event loop, and another one when that loop is closed and the
    next one runs, so that a client may be made wherever there is no loop yet.
    """

    def __init__(
        self, settings: Settings, open_channel: Callable[[Settings], Any] = AioChannels
    ) -> None:
        """Raises OSError when a file of the TLS settings can't be read."""
        if settings.tls is not None:
            settings.tls.credentials()
        self._settings, self._open = settings, open_channel
        self._channel: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._generation = PROCESS.generation
        self._is_closed = False

    def unary_unary(self, path: str, **options: Any) -> "LoopMethod":
        """Return a method of this path; the options are those of `AioChannels.unary_unary`."""
        return LoopMethod(self, lambda channel: channel.unary_unary(path, **options))

    def stream_stream(self, path: str) -> "LoopMethod":
        """Return a method of streams."""
        return LoopMethod(self, lambda channel: channel.stream_stream(path))

    def current(self) -> Any:
        """Return the channel of the running event loop.

        Raises ValueError after `close`, RuntimeError when the client belongs to another loop or
        none runs, and ForkedProcess when it belongs to a process that this one was forked from.
        """
        loop = asyncio.get_running_loop()
        if loop is self._loop and not self._is_closed:
            return self._channel
        if self._is_closed:
            raise ValueError(_CLOSED)
        if self._loop is not None and not self._loop.is_closed():
            PROCESS.check(self._generation)
            raise RuntimeError(_OTHER_LOOP)
        self._channel, self._loop = self._open(self._settings), loop
        self._generation = PROCESS.generation
        return self._channel

    def explain_cancelled(self) -> MlpserveError | None:
        """Return the error for a call that ended with CancelledError because the client was closed;
        None when its task is cancelled.
        """
        task = asyncio.current_task()
        if not self._is_closed or (task is not None and task.cancelling()):
            return None
        return MlpserveError(
            f"{self._settings.address} did not answer before the client was closed"
        )

    async def close(self) -> None:
        """Close the channel; calls in progress are cancelled. RuntimeError in another loop."""
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop) and not self._loop.is_closed():
            raise RuntimeError(_OTHER_LOOP)
        self._is_closed = True
        channel, self._channel = self._channel, None
        if channel is not None and self._loop is loop:
            await channel.close()


class LoopMethod:
    """A method of a channel that is opened by the first call."""

    __slots__ = ("_channel", "_make", "_method", "_opened")

    def __init__(self, channel: LoopChannel, make: Callable[[Any], Any]) -> None:
        self._channel, self._make = channel, make
        self._opened: Any = None
        self._method: Any = None

    def __call__(self, *request: Any, **options: Any) -> Any:
        """Begin a call, which is to be awaited and can be cancelled; raises as `current` does."""
        channel = self._channel.current()
        if channel is not self._opened:
            self._method = self._make(channel)
            self._opened = channel
        return self._method(*request, **options)

    def explain_cancelled(self) -> MlpserveError | None:
        """Return why a call ended with CancelledError, as `LoopChannel.explain_cancelled` does."""
        return self._channel.explain_cancelled()
