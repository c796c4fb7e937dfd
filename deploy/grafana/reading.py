"""What a dashboard's file says, as far as its page and the tests look at it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>.+), (?P<label>\w+)\)")


@dataclass(frozen=True, slots=True)
class Target:
    """A question, and what the legend calls a series of its answer, with {{label}} in it."""

    expression: str
    legend: str

    def name(self, labels: Mapping[str, str]) -> str:
        """Return the legend of the series with these labels."""
        return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), self.legend).strip()


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel below the heading `section`; `axis` is what it says beside its values."""

    section: str
    kind: str
    title: str
    description: str
    unit: str
    axis: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with the values of a label, or with its first value where `metric` is empty."""

    name: str
    metric: str
    label: str
    every: str
    first: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard; `marks` are the expressions of its vertical lines by name."""

    uid: str
    title: str
    description: str
    datasources: frozenset[str]
    variables: tuple[Variable, ...]
    marks: Mapping[str, str]
    panels: tuple[Panel, ...]

    @property
    def sections(self) -> Sequence[str]:
        """The headings, in order."""
        return list(dict.fromkeys(panel.section for panel in self.panels))


def read(file: Path) -> Dashboard:
    """Return what the file holds."""
    return parse(file.read_text())


def parse(content: str) -> Dashboard:
    """Return what a file of this content holds."""
    board = json.loads(content)
    panels, section = [], ""
    for item in board["panels"]:
        if item["type"] == "row":
            section = item["title"]
        else:
            panels.append(_panel(item, section))
    marks = board.get("annotations", {}).get("list", [])
    asking = [item for item in board["panels"] if item["type"] != "row"]
    asking += [*marks, *(item for item in board["templating"]["list"] if item["type"] == "query")]
    return Dashboard(
        board["uid"],
        board["title"],
        board["description"],
        frozenset(item["datasource"]["uid"] for item in asking),
        tuple(_variable(item) for item in board["templating"]["list"]),
        {mark["name"]: mark["expr"] for mark in marks},
        tuple(panels),
    )


def _panel(panel: Mapping[str, Any], section: str) -> Panel:
    defaults = panel["fieldConfig"]["defaults"]
    return Panel(
        section,
        panel["type"],
        panel["title"],
        panel["description"],
        defaults["unit"],
        defaults.get("custom", {}).get("axisLabel", ""),
        tuple(Target(each["expr"], each["legendFormat"]) for each in panel["targets"]),
    )


def _variable(variable: Mapping[str, Any]) -> Variable:
    if variable["type"] != "query":
        return Variable(variable["name"], "", "", "", variable["current"]["value"])
    found = _LABEL_VALUES.fullmatch(variable["query"])
    if found is None:
        raise ValueError(f"query {variable['query']!r}: write label_values(METRIC, LABEL)")
    every = variable.get("allValue") or ""
    return Variable(variable["name"], found["metric"], found["label"], every, "")
