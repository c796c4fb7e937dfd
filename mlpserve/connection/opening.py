"""What channels for threads and for asyncio have in common: how they are made, and take turns."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mlpserve.connection.settings import Settings

Channel = TypeVar("Channel")


def open_each(
    settings: Settings, insecure: Callable[..., Channel], secure: Callable[..., Channel]
) -> tuple[Channel, ...]:
    """Return the channels that some settings ask for, which connect with their first call; raises
    OSError when a file of the TLS settings can't be read.
    """
    common: dict[str, Any] = {"options": settings.options, "compression": settings.compression}
    if settings.tls is None:
        return tuple(insecure(settings.address, **common) for _ in range(settings.n_channels))
    credentials = settings.tls.credentials()
    return tuple(
        secure(settings.address, credentials, **common) for _ in range(settings.n_channels)
    )


def take_turns(methods: Sequence[Any]) -> Callable[[], tuple[Any, Any]]:
    """Return what gives each method in turn, to any thread, with the next one: another channel's,
    if there are several.
    """
    return itertools.cycle(list(zip(methods, [*methods[1:], methods[0]], strict=True))).__next__
