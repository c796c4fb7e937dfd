"""Remembers the bytes around the pixels of messages, which callers send again and again."""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from server.running.request import Request

MAX_KEYS, MAX_OF_KEY = 64, 4
MAX_BYTES = 1024
"""Of what is remembered of a message; longer ones are read each time."""


class Around(NamedTuple):
    """The bytes before and after the pixels, and the request of messages that have these."""

    before: bytes
    after: bytes
    request: Request


class Remembered:
    """Finds the request of a message that equals an earlier one except for its pixels.

    The pixels must be bytes that reading does not interpret, so that nothing else can differ.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Around, ...]] = {}

    def find(
        self, key: Hashable, message: bytes, begin: int, identifier: bytes
    ) -> tuple[Request, memoryview, bytes] | None:
        """Return the request, the pixels and the identifier given; None for a message that is like
        no other.

        `key` stands for the bytes before `begin`, and for the message's length.
        """
        for before, after, request in self._known.get(key, ()):
            if not message.startswith(before, begin):
                continue
            start = begin + len(before)
            if not after:
                return request, memoryview(message)[start:], identifier
            if message.endswith(after):
                return request, memoryview(message)[start : -len(after)], identifier
        return None

    def add(
        self, key: Hashable, message: bytes, begin: int, pixels: memoryview, request: Request
    ) -> None:
        """Remember a message that has been read, unless its pixels lie elsewhere, or it is odd."""
        before = _address(pixels) - _address(message) if pixels else -1
        after = before + len(pixels)
        if not begin <= before <= after <= len(message):
            return
        around = Around(message[begin:before], message[after:], request)
        if len(around.before) + len(around.after) > MAX_BYTES:
            return
        if len(self._known) >= MAX_KEYS:
            # Messages that are never repeated must not fill it.
            self._known.clear()
        self._known[key] = (around, *self._known.get(key, ())[: MAX_OF_KEY - 1])


def _address(content: bytes | memoryview) -> int:
    address: int = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    return address
