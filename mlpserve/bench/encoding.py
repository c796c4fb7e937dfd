"""Results as JSON, which keeps all of them."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from mlpserve.bench.histogram import decode, describe, encode
from mlpserve.bench.result import Arrivals, Form, Plan, Protocol, Result, Stage, Stall, Window

FORMAT = "mlpserve-bench-1"
_HISTOGRAMS = ("intended", "service", "lag")


def to_json(result: Result) -> str:
    """Return a result as JSON text."""
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    fields |= {name: describe(fields[name]) for name in _HISTOGRAMS}
    fields |= {
        "plan": dataclasses.asdict(result.plan),
        "windows": [_describe_window(window) for window in result.windows],
        "stalls": list(map(dataclasses.asdict, result.stalls)),
        "stages": list(map(dataclasses.asdict, result.stages)),
        "codes": dict(result.codes),
        "messages": dict(result.messages),
    }
    return json.dumps({"format": FORMAT, **fields}, indent=1)


def from_json(text: str) -> Result:
    """Return the result of a JSON text; raises ValueError when it is none."""
    try:
        fields = json.loads(text)
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise ValueError(f'it has no "format": "{FORMAT}"')
        fields |= {name: decode(fields[name]["hdrhistogram_microseconds"]) for name in _HISTOGRAMS}
        fields |= {
            "plan": _read_plan(fields["plan"]),
            "windows": tuple(map(_read_window, fields["windows"])),
            "stalls": tuple(Stall(**stall) for stall in fields["stalls"]),
            "lost_processes": tuple(fields["lost_processes"]),
            "stages": tuple(Stage(**stage) for stage in fields["stages"]),
        }
        return Result(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a result of mlpserve bench --json: {error}") from error


def _describe_window(window: Window) -> dict[str, Any]:
    return {
        "second": window.second,
        "sent": window.sent,
        "unsent": window.unsent,
        "answered": window.answered,
        "failed": window.failed,
        "intended": encode(window.intended),
        "service": encode(window.service),
    }


def _read_window(fields: Mapping[str, Any]) -> Window:
    histograms = {name: decode(fields[name]) for name in ("intended", "service")}
    return Window(**{**fields, **histograms})


def _read_plan(fields: Mapping[str, Any]) -> Plan:
    return Plan(
        **{
            **fields,
            "protocol": Protocol(fields["protocol"]),
            "form": Form(fields["form"]),
            "arrivals": Arrivals(fields["arrivals"]),
            "batch": tuple((int(images), float(weight)) for images, weight in fields["batch"]),
        }
    )
