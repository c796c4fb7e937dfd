"""Makes text from elsewhere, such as names in files, fit for a terminal or a log."""


def printable(text: str) -> str:
    """Return a text without what can't be printed: control characters, those that turn the order of
    others around, lone surrogates. White space becomes a space, all else a replacement character.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
