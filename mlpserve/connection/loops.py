"""The channels of a client for asyncio: they are opened by the first call, for the event loop that
runs then.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from mlpserve.connection.aio_channels import AioChannels
from mlpserve.connection.settings import Metadata, Settings
from mlpserve.errors import MlpserveError, unanswered
from mlpserve.timing import Timing, asking, read_timing

_OTHER_LOOP = (
    "this client belongs to another event loop, which is not closed: use it there, and make "
    "another client for this loop"
)
_CLOSED = "the client is closed; make another one"


class LoopChannel:
    """Opens channels for the running event loop, and others when that loop is closed and the next
    one runs, so that a client may be made wherever there is no loop yet.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises OSError when a file of the TLS settings can't be read."""
        if settings.tls is not None:
            settings.tls.credentials()
        self._settings = settings
        self._opened: tuple[AioChannels, asyncio.AbstractEventLoop] | None = None
        self._is_closed = False

    def unary_unary(self, path: str, **options: Any) -> "LoopMethod":
        """Return a method of this path; the options are those of `AioChannels.unary_unary`."""
        return LoopMethod(self, lambda channel: channel.unary_unary(path, **options))

    def stream_stream(self, path: str) -> "LoopMethod":
        """Return a method of streams."""
        return LoopMethod(self, lambda channel: channel.stream_stream(path))

    def current(self) -> AioChannels:
        """Return the channels of the running event loop.

        Raises ValueError after `close`, RuntimeError when the client belongs to another loop or
        none runs, and ForkedProcess.
        """
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise ValueError(_CLOSED)
        if self._opened is not None:
            channels, owner = self._opened
            if owner is loop:
                return channels
            if not owner.is_closed():
                # A forked process has none of its parent's loops, whatever they say.
                channels.check_process()
                raise RuntimeError(_OTHER_LOOP)
        channels = AioChannels(self._settings)
        self._opened = channels, loop
        return channels

    def explain_cancelled(self) -> MlpserveError | None:
        """Return the error for a call that ended with CancelledError because the client was closed;
        None when its task is cancelled.
        """
        task = asyncio.current_task()
        if not self._is_closed or (task is not None and task.cancelling()):
            return None
        return unanswered(self._settings.address)

    async def close(self) -> None:
        """Close the channel; calls in progress are cancelled. RuntimeError in another loop."""
        loop = asyncio.get_running_loop()
        channels, owner = self._opened or (None, loop)
        if owner is not loop and not owner.is_closed():
            raise RuntimeError(_OTHER_LOOP)
        self._is_closed = True
        self._opened = None
        if channels is not None and owner is loop:
            await channels.close()


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

    async def timed(
        self, request: bytes, *, timeout: float, metadata: Metadata | None
    ) -> tuple[bytes, Timing | None]:
        """Return the response, and what the server tells of the call's time."""
        call = self(request, timeout=timeout, metadata=asking(metadata))
        return await call, read_timing(await call.trailing_metadata())

    def explain_cancelled(self) -> MlpserveError | None:
        """Return why a call ended with CancelledError, as `LoopChannel.explain_cancelled` does."""
        return self._channel.explain_cancelled()
