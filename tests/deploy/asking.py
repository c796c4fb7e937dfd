"""Asks a Prometheus what a dashboard asks it, with the variables as they are when it opens."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.grafana.reading import Variable
from tests.deploy.prometheus import Prometheus


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an answer: its labels and its value."""

    labels: Mapping[str, str]
    value: float


def ask(prometheus: Prometheus, expression: str, time: float | None = None) -> list[Series]:
    """Return what the expression was at a time, or is now; without what isn't a number."""
    at = {} if time is None else {"time": str(time)}
    answer: Any = prometheus.get("query", query=expression, **at)["result"]
    series = [Series(each["metric"], float(each["value"][1])) for each in answer]
    return [each for each in series if not math.isnan(each.value)]


def choose(prometheus: Prometheus, variables: Iterable[Variable]) -> dict[str, str]:
    """Return what stands for each variable when All is chosen of it, in the order given."""
    values: dict[str, str] = {}
    for variable in variables:
        values[variable.name] = variable.first or "|".join(
            re.escape(each).replace("\\", "\\\\") for each in options(prometheus, variable, values)
        )
        if variable.every:
            values[variable.name] = variable.every
    return values


def options(prometheus: Prometheus, variable: Variable, chosen: Mapping[str, str]) -> list[str]:
    """Return the values that a variable offers, given those of the ones before it."""
    if not variable.metric:
        return [variable.first]
    matching = {"match[]": fill(variable.metric, chosen)}
    values: list[str] = prometheus.get(f"label/{variable.label}/values", **matching)
    return values


def fill(expression: str, values: Mapping[str, str]) -> str:
    """Return the expression with the values of its variables; raises KeyError for unknown ones."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)
