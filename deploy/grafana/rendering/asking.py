"""Asks a Prometheus what a dashboard asks it, with the variables as they are when it opens."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.grafana.reading import Variable, fill


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an answer: its labels, its times in seconds since 1970, and its values."""

    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[-1]


class Prometheus:
    """A Prometheus at HOST:PORT; raises httpx.HTTPError when it does not answer as it should."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=f"http://{address}/api/v1/", timeout=30)

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def at(self, expression: str, time: float | None = None) -> list[Series]:
        """Return what the expression was at a time, or is now; without what isn't a number."""
        at = {} if time is None else {"time": time}
        result = self._ask("query", {"query": expression, **at})["result"]
        return _known((series["metric"], [series["value"]]) for series in result)

    def between(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Return what the expression was every `step` seconds; without what isn't a number."""
        span = {"query": expression, "start": start, "end": end, "step": step}
        result = self._ask("query_range", span)["result"]
        return _known((series["metric"], series["values"]) for series in result)

    def choose(self, variables: Iterable[Variable]) -> dict[str, str]:
        """Return what stands for each variable when All is chosen of it, in the order given."""
        values: dict[str, str] = {}
        for variable in variables:
            values[variable.name] = variable.first or "|".join(
                re.escape(each).replace("\\", "\\\\") for each in self.options(variable, values)
            )
            if variable.every:
                values[variable.name] = variable.every
        return values

    def options(self, variable: Variable, chosen: Mapping[str, str]) -> list[str]:
        """Return the values that a variable offers, given those of the ones before it."""
        if not variable.metric:
            return [variable.first]
        matching = {"match[]": fill(variable.metric, chosen)}
        values: list[str] = self._ask(f"label/{variable.label}/values", matching)
        return values

    def _ask(self, path: str, parameters: Mapping[str, Any]) -> Any:
        answer = self._http.get(path, params=parameters)
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.is_error and "error" in body:
            raise ValueError(f"{parameters.get('query', path)}: {body['error']}")
        return answer.raise_for_status().json()["data"]


def _known(result: Iterable[tuple[Mapping[str, str], list[tuple[float, str]]]]) -> list[Series]:
    series = []
    for labels, pairs in result:
        known = [(time, float(value)) for time, value in pairs if not math.isnan(float(value))]
        if known:
            times, values = zip(*known, strict=True)
            series.append(Series(labels, times, values))
    return series
