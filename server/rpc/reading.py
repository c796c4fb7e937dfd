"""Reads the fields of requests, each count bounded before work is spent on it."""

import sys
from collections.abc import Collection, Sequence

from mlpserve.protocol import wire
from server.errors import InvalidField, TakesLong

MAX_FIELDS = 4096
"""Fields of a call's message and of those within it; reading this many takes about 2 ms.

Numbers of a repeated field that follow each other count as one.
"""

MAX_TEXT_BYTES = 1024 * 1024
"""Bytes of a name, whether or not anything has such a name."""

MAX_NAME = 256
"""Characters of a model's name or a label that are kept; no folder has a name of so many."""

QUICK_FIELDS = 512
QUICK_RUN_FIELDS = 65_536
QUICK_BYTES = 256 * 1024
"""What is read, decoded or copied within a fraction of a millisecond, in its slowest form."""


def limits(patient: bool) -> wire.Limits:
    """Return how many fields of one call are read."""
    if patient:
        return wire.Limits(MAX_FIELDS, sys.maxsize)
    return wire.Limits(QUICK_FIELDS, QUICK_RUN_FIELDS)


def refuse_fields(error: wire.TooMuch, patient: bool) -> InvalidField | TakesLong:
    """Return the error for a message with more fields than that."""
    if not patient:
        return TakesLong(str(error))
    return InvalidField(
        "too_many_fields",
        f"the message can't be read: {error}, more than the limit of {MAX_FIELDS} for one call; "
        "send the pixels packed, in one piece",
        "",
    )


def join(chunks: Sequence[memoryview], patient: bool) -> memoryview:
    """Return the chunks of a packed field as one; raises TakesLong."""
    if not patient and len(chunks) > 1 and sum(map(len, chunks)) > QUICK_BYTES:
        raise TakesLong("many bytes to join")
    return wire.joined(chunks)


def read_text(fields: Collection[wire.Field], number: int, name: str) -> str:
    """Return the last value of a string field; raises InvalidField, which names it, and
    WireError.
    """
    contents = wire.read_contents(fields, number)
    if not contents:
        return ""
    size = sum(map(len, contents))
    if size > MAX_TEXT_BYTES:
        raise InvalidField(
            "description_bytes",
            f"{name} has {size} bytes, more than the limit of {MAX_TEXT_BYTES}; send a shorter one",
            name,
        )
    return wire.decode_texts(contents, number)[-1]


def read_name(fields: Collection[wire.Field], number: int, name: str) -> str:
    """Return a text that should name something; of one that is too long, only as much as shows
    that.
    """
    return read_text(fields, number, name)[: MAX_NAME + 1]
