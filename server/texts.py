"""Texts of others, such as names that callers send or folders have, made fit to be told."""

import difflib
import functools
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

CUT = "..."
MAX_LISTED = 10
"""Names that a message lists."""

MAX_COMPARED = 500
MAX_CLOSEST = 12
"""Names that are looked through for those like a misspelt one, which takes a millisecond, and of
these how many are compared letter by letter.
"""

NAME_BYTES = 64

MAX_SHOWN = 1000
"""Characters of a message that callers are told; what a library says may have any number."""

_NOT_SHOWN = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of control characters, halves of characters, and ends of lines."""

_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def shorten(text: str, max_bytes: int) -> str:
    """Return a text in one line of at most so many bytes on the wire, its middle left out if it is
    longer.

    gRPC sends what is no ASCII as %XX for each byte of UTF-8. What can't be printed, such as
    control characters and lone surrogates, is replaced.
    """
    # First, as a text may be as long as a message.
    text = _printable(_cut(text, max_bytes))
    while len(text) * 12 > max_bytes and (size := len(quote(text, _PLAIN))) > max_bytes:
        text = _cut(text, min(len(text) * max_bytes // size, len(text) - 1))
    return text


def has_controls(text: str) -> bool:
    """Whether a text holds a line end, a NUL or another control character."""
    return any(letter < " " or letter == "\x7f" for letter in text)


def quoted(name: str) -> str:
    """Return a name that a caller has sent in quotes, short enough for a message."""
    return repr(shorten(name, 2 * NAME_BYTES))


def listed(names: Iterable[str], asked: str = "") -> str:
    """Return names as a list for people; of many, those most like `asked` and how many others
    there are.
    """
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
    """Return some names: those most like the one asked for, the most alike first.

    Whoever has a name wrong asks for it again and again.
    """
    letters = set(asked)
    # To look at letters alone is fast, and no two names that are alike differ in many.
    alike = sorted(names, key=lambda name: len(letters.symmetric_difference(name)))[:MAX_CLOSEST]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(asked)

    def likeness(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.ratio()

    return tuple(sorted(alike, key=likeness, reverse=True)[:MAX_LISTED])


def _cut(text: str, max_characters: int) -> str:
    """Leave out the middle of a longer text: what it is about stands first, what to do last."""
    if len(text) <= max_characters:
        return text
    kept = max(max_characters - len(CUT), 0)
    end = kept // 3
    return text[: kept - end] + CUT + text[len(text) - end :]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _substitute(letter) for letter in text)


def _substitute(letter: str) -> str:
    return " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"


def fault_of(text: str) -> str:
    """Say why a text can't be a name or a label; empty when it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if any(unicodedata.category(character) in _NOT_SHOWN for character in text):
        return "holds control characters"
    return ""


def shown(text: str | Path) -> str:
    """Return a text, or the name of a file, as one line that UTF-8 can have, of bounded length."""
    line = "".join(
        repr(character)[1:-1] if unicodedata.category(character) in _NOT_SHOWN else character
        for character in os.fspath(text)[: 2 * MAX_SHOWN]
    )
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 4]} ..."
