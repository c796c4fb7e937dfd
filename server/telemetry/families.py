"""Metrics as bytes, from where they are counted, and as the page that Prometheus reads."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from server.telemetry.accumulators import Family

WORKER = "worker"
"""The label that tells the processes' samples apart."""

PARENT, HTTP = "parent", "http"
"""Its values for the processes that answer no calls."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A family whose lines are bytes already."""

    name: str
    kind: str
    documentation: str
    lines: bytes


def pack(families: Iterable[Family]) -> tuple[bytes, ...]:
    """Return families as bytes: a line of JSON that tells of each how many bytes its lines are,
    then these.
    """
    lines = [(family, family.lines.encode()) for family in families]
    heads = [(its.name, its.kind, its.documentation, len(text)) for its, text in lines]
    return json.dumps(heads).encode() + b"\n", *(text for _, text in lines)


def unpack(packed: bytes) -> list[Packed]:
    """Return the families that `pack` was given; raises ValueError when it was something else."""
    begin = packed.index(b"\n") + 1
    found = []
    for name, kind, documentation, size in json.loads(packed[:begin]):
        found.append(Packed(name, kind, documentation, packed[begin : begin + size]))
        begin += size
    return found


def page(families: Iterable[Packed], open_metrics: bool) -> bytes:
    """Return a page, with the samples of several processes' families of one name together."""
    together: dict[str, list[Packed]] = {}
    for family in families:
        together.setdefault(family.name, []).append(family)
    parts = []
    for name, same in together.items():
        kind, documentation = same[0].kind, same[0].documentation
        named = f"{name}_total" if kind == "counter" and not open_metrics else name
        described = documentation.replace("\\", r"\\").replace("\n", r"\n")
        parts.append(f"# HELP {named} {described}\n# TYPE {named} {kind}\n".encode())
        parts += [family.lines for family in same]
    return b"".join((*parts, b"# EOF\n" if open_metrics else b""))
