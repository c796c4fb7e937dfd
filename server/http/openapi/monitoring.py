"""The document's part about what watches the server, and about the pages."""

from collections.abc import Mapping

from server.http.openapi.parts import JSON, TEXT, Json, answer, in_path, operation

PLAIN: Mapping[str, Json] = {"text/plain": TEXT}
METRICS = {**PLAIN, "application/openmetrics-text": TEXT}

FILE = in_path("path", "A file's name, which may be in folders.", "js/main.js")


def paths() -> Json:
    """Return the paths."""
    late = answer("No, or no answer in time.", PLAIN)
    large = answer("The request has a body.", PLAIN)
    watched = {413: large, 503: late}
    return {
        "/healthz": _get(
            "live", "Report whether the server is live", {200: answer("Yes.", PLAIN), **watched}
        ),
        "/readyz": _get(
            "ready", "Report whether the server is ready", {200: answer("Yes.", PLAIN), **watched}
        ),
        "/metrics": _get(
            "metrics",
            "Return the metrics of all processes for Prometheus",
            {200: answer("The metrics.", METRICS), **watched},
        ),
        "/openapi.json": _get(
            "document",
            "Return this document",
            {200: answer("The document.", {JSON: {"type": "object"}})},
        ),
        "/": _page("page", "Return the page that draws a digit"),
        "/watch": _page("watch", "Return the page that watches the server"),
        "/static/{path}": {
            "parameters": [FILE],
            **_get("file", "Return a file of the pages", {200: answer("It.", {"*/*": {}})}, 404),
        },
    }


def _page(name: str, summary: str) -> Json:
    return _get(name, summary, {200: answer("The page.", {"text/html": TEXT})})


def _get(name: str, summary: str, answers: Mapping[int, Json], *errors: int) -> Json:
    return {"get": operation(name, summary, answers, (*errors, 405), tags=["page"])}
