"""Texts that come from disk: which may be told to callers, and how the others are shown."""

import os
import unicodedata
from pathlib import Path

MAX_SHOWN = 1000
"""Characters of a message that callers are told; what a library says may have any number."""

_NOT_SHOWN = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of control characters, halves of characters, and ends of lines."""


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
