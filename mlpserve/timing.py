"""Where the time of a call went in the server, which reports it on request."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

ASKING = ("x-server-timing", "1")
"""The metadata with which a caller asks for it."""

_KEY = "server-timing"
"""The trailing metadata with the times, in the syntax of W3C's header Server-Timing."""

_STAGES = ("decode", "queue", "run", "encode")
_QUOTED = r'"(?:[^"\\]|\\.)*"?'
_ENTRY, _PARAMETER = (re.compile(rf'(?:[^{end}"]|{_QUOTED})+') for end in ",;")
_DURATION = re.compile(r"\s*dur\s*=\s*\"?([0-9]{1,15}(?:\.[0-9]*)?)\"?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of a call went in the server.

    Attributes
    ----------
    total_seconds
        From the call's arrival until its answer was given to the network.
    decode_seconds, queue_seconds, run_seconds, encode_seconds
        Reading the request, waiting before and after that, the run of the model, and writing the
        answer; 0 for a stage that the server doesn't tell. Calls that met in a run have the whole
        time of it each.
    """

    total_seconds: float
    decode_seconds: float = 0.0
    queue_seconds: float = 0.0
    run_seconds: float = 0.0
    encode_seconds: float = 0.0

    def __add__(self, other: "Timing") -> "Timing":
        """Return the sums of both."""
        return Timing(*map(sum, zip(astuple(self), astuple(other), strict=True)))


def asking(metadata: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call that asks for its timing."""
    return (*(metadata or ()), ASKING)


def read_timing(metadata: Iterable[tuple[str, object]] | None) -> Timing | None:
    """Return the times in a call's trailing metadata; None when the whole time is missing.

    Never raises: entries that are not durations or have other names are ignored, and of several
    entries with the same name the first one counts.
    """
    found: dict[str, float] = {}
    for key, text in metadata or ():
        if key == _KEY and isinstance(text, str):
            for name, seconds in _read_entries(text):
                found.setdefault(name, seconds)
    if "total" not in found:
        return None
    return Timing(found["total"], *(found.get(stage, 0.0) for stage in _STAGES))


def _read_entries(text: str) -> Iterator[tuple[str, float]]:
    """Yield the entries that have a duration, by their names, in seconds."""
    for entry in _ENTRY.findall(text):
        name, *parameters = _PARAMETER.findall(entry) or [""]
        for parameter in parameters:
            if (match := _DURATION.fullmatch(parameter)) is not None:
                yield name.strip(), float(match[1]) / 1000
                break
