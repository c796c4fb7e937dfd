"""JSON of what may be large, between which others are answered."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

PIECE_NUMBERS = 65_536
"""Numbers of an array that are written without a pause, which takes some milliseconds."""


def dump(content: Any) -> bytes:
    """Return JSON, whose numbers may be in NumPy's arrays; `nan` and infinities become null."""
    return b"".join(_parts(content)) if _has_many(content) else _write(content)


def _has_many(content: Any) -> bool:
    """Whether there is an array that is written in pieces, from which orjson would keep all other
    threads waiting meanwhile, and take several times as much memory.
    """
    match content:
        case dict():
            return any(map(_has_many, content.values()))
        case list() | tuple() if len(content) < PIECE_NUMBERS:
            return any(map(_has_many, content))
        case _:
            return getattr(content, "size", 0) > PIECE_NUMBERS and content.ndim > 0


def _parts(content: Any) -> Iterator[bytes]:
    if not _has_many(content):
        yield _write(content)
    elif isinstance(content, dict):
        for index, (key, value) in enumerate(content.items()):
            yield b"%c%s:" % (b"," if index else b"{", _write(key))
            yield from _parts(value)
        yield b"}"
    elif isinstance(content, list | tuple) or content.size // len(content) > PIECE_NUMBERS:
        yield from _list(_parts(value) for value in content)
    else:
        rows = max(1, PIECE_NUMBERS * len(content) // content.size)
        pieces = (content[begin : begin + rows] for begin in range(0, len(content), rows))
        yield from _list([_write(piece)[1:-1]] for piece in pieces)


def _list(values: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    for index, value in enumerate(values):
        yield b"," if index else b"["
        yield from value
    yield b"]"


def _write(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
