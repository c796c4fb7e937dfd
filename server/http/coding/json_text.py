"""JSON of what may be large, between which others are answered."""

from typing import Any

import orjson

PIECE_NUMBERS = 65_536
"""Numbers of an array that are written without a pause, which takes some milliseconds."""


def dump(content: Any) -> bytes:
    """Return JSON, whose numbers may be in NumPy's arrays; `nan` and infinities become null."""
    return orjson.dumps(_in_pieces(content), option=orjson.OPT_SERIALIZE_NUMPY)


def _in_pieces(content: Any) -> Any:
    """Replace large arrays by their text: orjson keeps all other threads waiting meanwhile."""
    match content:
        case dict():
            return {key: _in_pieces(value) for key, value in content.items()}
        case list() | tuple() if len(content) < PIECE_NUMBERS:
            return [_in_pieces(value) for value in content]
        case _ if getattr(content, "size", 0) > PIECE_NUMBERS and content.ndim:
            return orjson.Fragment(_join(content))
        case _:
            return content


def _join(array: Any) -> bytes:
    rows = max(1, PIECE_NUMBERS * len(array) // array.size)
    if array.size // len(array) > PIECE_NUMBERS and array.ndim > 1:
        texts = [_join(row) for row in array]
    else:
        texts = [
            orjson.dumps(array[begin : begin + rows], option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
            for begin in range(0, len(array), rows)
        ]
    return b"[" + b",".join(texts) + b"]"
