"""The units in which panels write numbers, by Grafana's names for them."""

SECONDS, BYTES, SHARE = "s", "decbytes", "percentunit"
PER_SECOND = "count:/s"
TIMES = "suffix:times"
"""As often, or as fast, as is allowed."""

INDEX = "suffix:PSI"
"""A Population Stability Index."""

BARE = "none"
"""A number without a unit: then the axis, or the head of a column, says what it is."""

_WORDS = {SECONDS: "seconds", BYTES: "bytes", SHARE: "%", BARE: ""}


def counted(what: str) -> str:
    """Return the unit of a number of things, such as workers."""
    return f"count:{what}"


def in_words(unit: str) -> str:
    """Return a unit as people read it; raises KeyError for one that panels don't have."""
    kind, _, suffix = unit.partition(":")
    return suffix if kind in ("count", "suffix") else _WORDS[unit]
