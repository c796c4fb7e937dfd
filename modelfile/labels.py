"""Which names of classes a model may have: texts that people can tell apart, fit for a terminal."""

import unicodedata
from collections.abc import Sequence

MAX_LABEL_LENGTH = 256
"""Characters of one label."""

_UNFIT = {"Cc", "Cf", "Zl", "Zp"}
"""Unicode's categories of characters that steer a terminal or their neighbours, and line ends."""
_JOINERS = {"\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}"}
"""Parts of words in Persian and Hindi, and of emoji."""
_SHOWN = 20


def fault_of_labels(labels: Sequence[str]) -> str:
    """Return why these can't be a model's labels, such as "number 1, 'a', is that of number 0 too";
    empty when they can.
    """
    known: dict[str, int] = {}
    for index, label in enumerate(labels):
        # Not the text itself, which may be anything: only what is printable is shown.
        what = f"number {index}, {label[:_SHOWN]!a},"
        if not label.strip():
            return f"number {index} is empty"
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in label):
            return f"{what} is not Unicode"
        if len(label) > MAX_LABEL_LENGTH:
            return f"{what} has more than {MAX_LABEL_LENGTH} characters"
        if any(unicodedata.category(letter) in _UNFIT for letter in {*label} - _JOINERS):
            return f"{what} holds control characters"
        # Nobody sees spaces around it, nor of which parts a letter is made.
        same = unicodedata.normalize("NFC", label.strip())
        if (first := known.setdefault(same, index)) != index:
            return f"{what} is that of number {first} too"
    return ""
