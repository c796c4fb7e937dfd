"""Makes foreign text, such as names from callers and folders, fit for messages."""

import difflib
import functools
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from modelfile.texts import printable

CUT = "..."
MAX_LISTED = 10
"""Names that a message lists."""

MAX_COMPARED, MAX_CLOSEST = 500, 12
"""Names among which the closest to a misspelt one are looked for, which takes a millisecond, and
how many of them are compared letter by letter.
"""

NAME_BYTES = 64

MAX_SHOWN = 1000
"""Bytes of a text from a library or a file system in a message."""

_CONTROLS = {"Cc", "Zl", "Zp"}
"""Unicode's categories of control characters and line ends."""

_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def shorten(text: str, max_bytes: int) -> str:
    """Return a text as one line of at most so many bytes on the wire, without its middle if need
    be.

    gRPC sends each byte of UTF-8 that is not ASCII as %XX. What can't be printed, such as control
    characters and lone surrogates, is replaced.
    """
    # Cut first, because a text may be as long as a message.
    text = printable(_cut(text, max_bytes))
    while len(text) * 12 > max_bytes and (size := len(quote(text, _PLAIN))) > max_bytes:
        text = _cut(text, min(len(text) * max_bytes // size, len(text) - 1))
    return text


def shown(text: str | Path) -> str:
    """Return a text from a library, or the name of a file, as one line for a message."""
    return shorten(str(text), MAX_SHOWN)


def has_controls(text: str) -> bool:
    """Whether a text contains a line end, a NUL or another control character."""
    return any(unicodedata.category(character) in _CONTROLS for character in text)


def quoted(name: str) -> str:
    """Return a caller's name for something in quotes, short enough for a message."""
    return repr(shorten(name, 2 * NAME_BYTES))


def listed(names: Iterable[str], asked: str = "") -> str:
    """Return a list of names: of many, those most similar to `asked` and how many others."""
    known = tuple(names)
    if len(known) > MAX_LISTED:
        is_compared = asked and len(asked) <= NAME_BYTES and len(known) <= MAX_COMPARED
        shown = _closest(known, asked) if is_compared else known[:MAX_LISTED]
        others = f" and {len(known) - len(shown)} more"
    else:
        shown, others = known, ""
    return ", ".join(shorten(name, NAME_BYTES) for name in shown) + others


@functools.lru_cache(maxsize=64)
def _closest(names: tuple[str, ...], asked: str) -> tuple[str, ...]:
    """Return the names most similar to the one asked for, the closest first.

    Cached, because a caller with a wrong name repeats it.
    """
    letters = set(asked)
    # Comparing sets of letters is fast, and similar names differ in few.
    alike = sorted(names, key=lambda name: len(letters.symmetric_difference(name)))[:MAX_CLOSEST]
    return tuple(difflib.get_close_matches(asked, alike, MAX_LISTED, cutoff=0))


def _cut(text: str, max_characters: int) -> str:
    """Leave out the middle of a longer text: the subject comes first, the remedy last."""
    if len(text) <= max_characters:
        return text
    kept = max(max_characters - len(CUT), 0)
    end = kept // 3
    return text[: kept - end] + CUT + text[len(text) - end :]


def fault_of(text: str) -> str:
    """Return why a text can't be a name or a label, empty when it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    return "holds control characters" if has_controls(text) else ""
