"""Metrics as lists, from a worker to its parent, and as the page that Prometheus reads."""

from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from server.series import Family

WORKER = "worker"
"""The label that tells the workers' samples apart."""


def pack(families: Iterable[Family]) -> list[Any]:
    """Return families in a form that JSON can hold."""
    return [astuple(family) for family in families]


def unpack(packed: Iterable[Any]) -> list[Family]:
    """Return the families that `pack` was given."""
    return [Family(*fields) for fields in packed]


def page(families: Iterable[Family], open_metrics: bool) -> str:
    """Return a page, with the samples of several workers' families of one name together."""
    together: dict[str, list[Family]] = {}
    for family in families:
        together.setdefault(family.name, []).append(family)
    parts = []
    for name, same in together.items():
        kind, documentation = same[0].kind, same[0].documentation
        named = f"{name}_total" if kind == "counter" and not open_metrics else name
        described = documentation.replace("\\", r"\\").replace("\n", r"\n")
        parts.append(f"# HELP {named} {described}\n# TYPE {named} {kind}\n")
        parts += [family.lines for family in same]
    return "".join((*parts, "# EOF\n" if open_metrics else ""))
