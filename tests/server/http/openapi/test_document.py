"""The OpenAPI document lists each path that HTTP answers, and nothing else."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import httpx
import pytest
import schemathesis
from starlette.routing import BaseRoute, Mount, Route

from harness.server_process import ServerProcess
from server.http import apis, static_files
from server.http.openapi.document import make
from server.http.openapi.parts import ERRORS
from server.http.typed.body import FIELDS, OPTIONS
from tests.server.http.asking import connect

METHODS = {"get", "post", "put", "patch", "delete", "options", "head", "trace"}
WATCHED = {("/metrics", "get"), ("/healthz", "get"), ("/readyz", "get")}
"""What the application answers before the APIs; see server/http/app.py."""


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with connect(server) as client:
        yield client


def answered(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths and methods of routes; a path means the same with a slash at its end."""
    for route in routes:
        if isinstance(route, Mount):
            inner = getattr(route.app, "routes", None)
            if inner is None:
                yield f"{before}{route.path}/{{path}}", "get"
            else:
                yield from answered(inner, before + route.path)
        else:
            assert isinstance(route, Route)
            for method in route.methods or {"GET"}:
                if method != "HEAD":
                    yield (before + route.path).rstrip("/") or "/", method.lower()


def test_its_paths_are_those_that_are_answered(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    listed = {
        (path, method)
        for path, methods in document["paths"].items()
        for method in METHODS & {*methods}
    }
    asked: Any = apis.routes(None, None)  # type: ignore[arg-type]  # nobody is asked
    routes = [*chain(*asked.values()), *static_files.routes()]
    assert listed == {*answered(routes)} | WATCHED
    for path, _ in WATCHED:
        assert http.get(path).status_code == 200


def test_it_is_valid(http: httpx.Client) -> None:
    answer = http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document == make()
    schemathesis.openapi.from_dict(document).validate()
    names = [each["operationId"] for each in operations(document)]
    assert len(names) == len({*names})


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        for method in METHODS & {*methods}:
            yield methods[method]


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_all_that_is_defined_is_used() -> None:
    document = make()
    components = document["components"]
    defined = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in components[kind]
    }
    assert {*references(document)} == defined
    assert len(components["responses"]) == len(ERRORS)


def test_a_request_has_the_fields_that_are_read() -> None:
    request = make()["components"]["schemas"]["PredictRequest"]
    assert tuple(request["properties"]) == FIELDS
    for operation in operations(make()):
        if "requestBody" in operation and "typed" in operation["tags"]:
            assert tuple(each["name"] for each in operation["parameters"]) == OPTIONS


def test_the_page_links_to_it(http: httpx.Client) -> None:
    assert 'href="/openapi.json"' in http.get("/").text
