"""Settings that are lists."""


def read_list(text: str) -> list[str]:
    """Return what a text lists, between commas or spaces."""
    return text.replace(",", " ").split()
