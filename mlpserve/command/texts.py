"""Makes names from files and servers fit for a terminal."""


def printable(text: str) -> str:
    """Return a text with a replacement character for each that can't be printed."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
