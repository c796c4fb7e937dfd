"""What is wrong with a request is told field by field, with the value and the remedy."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from server.http.coding.numbers import MAX_NUMBERS
from server.http.typed.body import MAX_UNKNOWN
from server.settings.settings import Settings
from tests.server.http.asking import violations

BLANK = [0] * 784


def refuse(http: httpx.Client, body: object, path: str = "/v1/predict") -> Any:
    """Return the answer to a body that is refused, in its form."""
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    answer = http.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert told.keys() == {"error", "code", "reason", "violations"}
    assert told["code"] == "INVALID_ARGUMENT"
    for violation in told["violations"]:
        assert violation.keys() == {"field", "description", "reason"}
        assert violation["description"] in told["error"]
    return answer


def ragged() -> list[list[int]]:
    return [BLANK, BLANK[:-1]]


@pytest.mark.parametrize(
    ("body", "field", "reason", "words"),
    [
        ({}, "pixels", "NO_PIXELS", 'send {"pixels": [...]}'),
        ({"pixels": []}, "pixels", "NO_PIXELS", "pixels is empty"),
        ({"pixels": [[]]}, "pixels", "NO_PIXELS", "pixels is empty"),
        ({"pixels": [[[]]]}, "pixels", "NO_PIXELS", "pixels is empty"),
        ({"pixels_u8": ""}, "pixels_u8", "NO_PIXELS", "pixels_u8 is empty"),
        ({"pixels": None}, "pixels", "TYPE", "pixels is null; send a list of numbers"),
        ({"pixels": 0.5}, "pixels", "TYPE", "pixels is 0.5; send a list"),
        ({"pixels": "AAAA"}, "pixels", "TYPE", "pixels is 'AAAA'"),
        ({"pixels": {"0": 1}}, "pixels", "TYPE", "pixels is an object"),
        ({"pixels": [*BLANK[1:], "0"]}, "pixels", "TYPE", "pixels[783] is '0'; send a number"),
        ({"pixels": [*BLANK[1:], None]}, "pixels", "TYPE", "pixels[783] is null"),
        ({"pixels": [*BLANK[1:], True]}, "pixels", "TYPE", "pixels[783] is true"),
        ({"pixels": [BLANK, [*BLANK[1:], {}]]}, "pixels", "TYPE", "pixels[1][783] is an object"),
        ({"pixels": [BLANK, 1]}, "pixels", "TYPE", "pixels[1] is 1; send a list"),
        ({"pixels": [*BLANK[1:], [0]]}, "pixels", "TYPE", "pixels[783] is a list"),
        ({"pixels": ragged()}, "pixels", "SHAPE", "pixels[1] has 783 entries"),
        ({"pixels": [[[BLANK]]]}, "pixels", "SHAPE", "more than 3 deep"),
        ({"pixels": [*BLANK[1:], 1e39]}, "pixels", "NOT_FINITE", "pixels[783] is 1e+39"),
        ({"pixels": [*BLANK[1:], -(10**60)]}, "pixels", "NOT_FINITE", "pixels[783] is -1e+60"),
        ({"pixels": BLANK[:-1]}, "pixels", "PIXEL_COUNT", "784"),
        ({"pixels": [[0] * 16] * 98}, "pixels", "SHAPE", "98 x 16 numbers"),
        ({"pixels": [*BLANK[1:], 1.5]}, "pixels", "PIXEL_RANGE", "pixel 783 is 1.5"),
        ({"pixels": [*BLANK[1:], -1]}, "pixels", "PIXEL_RANGE", "pixel 783 is -1"),
        ({"pixels_u8": [*BLANK[1:], 256]}, "pixels_u8", "BYTE_RANGE", "pixels_u8[783] is 256"),
        ({"pixels_u8": [*BLANK[1:], -1]}, "pixels_u8", "BYTE_RANGE", "pixels_u8[783] is -1"),
        ({"pixels_u8": [*BLANK[1:], 0.5]}, "pixels_u8", "BYTE_RANGE", "pixels_u8[783] is 0.5"),
        ({"pixels_u8": "AAA"}, "pixels_u8", "BASE64", "pixels_u8 is 'AAA', which is not base64"),
        ({"pixels_u8": "AA=A"}, "pixels_u8", "BASE64", "not base64"),
        ({"pixels_u8": "\u00e4" * 4}, "pixels_u8", "BASE64", "not base64"),
        ({"pixels_u8": "AAAA"}, "pixels_u8", "PIXEL_COUNT", "784"),
        ({"pixels": BLANK, "pixels_u8": BLANK}, "pixels", "BOTH_FORMS", "send one of them"),
        ({"pixels": BLANK, "canonicalize": 1}, "canonicalize", "TYPE", "is 1; send true or false"),
        (
            {"pixels": BLANK, "hidden_activations": "true"},
            "hidden_activations",
            "TYPE",
            "is 'true'; send true or false",
        ),
        (
            {"pixels": BLANK, "canonicalise": True},
            "canonicalise",
            "UNKNOWN_FIELD",
            "did you mean canonicalize?",
        ),
        (
            {"pixels": BLANK, "canonical_pixels": True},
            "canonical_pixels",
            "WITHOUT_CANONICALIZE",
            "without canonicalize",
        ),
        ({"pixels": BLANK, "model": "digits"}, "model", "UNKNOWN_FIELD", "/v1/models/{model}"),
        ({"inputs": []}, "inputs", "UNKNOWN_FIELD", "/v2/models/{model}/infer"),
    ],
)
def test_what_is_wrong_with_fields(
    http: httpx.Client, body: object, field: str, reason: str, words: str
) -> None:
    answer = refuse(http, body)
    assert (field, reason) in violations(answer)
    assert answer.json()["reason"] == violations(answer)[0][1]
    assert words in answer.json()["error"]


def test_all_that_is_wrong_is_told_at_once(http: httpx.Client) -> None:
    answer = refuse(http, {"pixls": BLANK, "canonicalize": 1, "pixels_u8": "!"})
    assert violations(answer) == [
        ("pixls", "UNKNOWN_FIELD"),
        ("canonicalize", "TYPE"),
        ("pixels_u8", "BASE64"),
    ]


def test_few_of_many_unknown_fields_are_told(http: httpx.Client) -> None:
    many = {f"field {number}": 0 for number in range(300_000)}
    answer = refuse(http, many)
    assert len(violations(answer)) == MAX_UNKNOWN + 1
    long = refuse(http, {"x" * 5_000_000: 0, "pixels_u8": "!" * 5_000_000})
    assert len(long.content) < 2_000


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        (b"", "NO_BODY", "the body is empty"),
        (b"{", "JSON", "not valid JSON"),
        (b'{"pixels": [NaN]}', "JSON", "which has no NaN"),
        (b'{"pixels": [-Infinity]}', "JSON", "no Infinity"),
        (b'{"pixels": [0x10]}', "JSON", "not valid JSON"),
        (b'{"pixels": [1,]}', "JSON", "not valid JSON"),
        (b"\xff\xfe{", "JSON", "not valid JSON"),
        (b'{"pixels": ' + b"[" * 100_000, "JSON", "not valid JSON"),
        (b'{"pixels": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "JSON", "not valid JSON"),
        (b"[0, 0]", "JSON", "the body is a list, not a JSON object"),
        (b'"pixels"', "JSON", "the body is 'pixels', not a JSON object"),
        (b"null", "JSON", "the body is null, not a JSON object"),
    ],
)
def test_what_is_no_object(http: httpx.Client, body: bytes, reason: str, words: str) -> None:
    answer = refuse(http, body)
    assert violations(answer) == [("body", reason)]
    assert words in answer.json()["error"]


@pytest.mark.parametrize("twice", ['"pixels": [1]', '"canonicalize": true', '"\\u0070ixels": [1]'])
def test_names_given_twice(http: httpx.Client, twice: str) -> None:
    text = f'{{{twice}, "canonicalize": false, "pixels": {json.dumps(BLANK)}}}'
    answer = refuse(http, text)
    assert {reason for _, reason in violations(answer)} == {"DUPLICATE"}


def test_shapes_that_the_model_reads_otherwise(http: httpx.Client) -> None:
    answer = refuse(http, {"pixels": np.zeros((4, 392)).tolist()})
    assert violations(answer) == [("pixels", "SHAPE")]
    assert "digits 1 finds 2 images in them; send 784 for each image" in answer.json()["error"]


@pytest.mark.parametrize("version", ["0", "-1", "1.0", "one", "9" * 19, "9" * 5_000, "\u0661"])
def test_what_is_no_version(http: httpx.Client, version: str) -> None:
    path = f"/v1/models/digits/versions/{version}"
    for answer in (http.get(f"{path}/network"), http.post(f"{path}/predict", json={})):
        assert (answer.status_code, violations(answer)) == (400, [("version", "VERSION")])
        assert answer.json()["error"].endswith("give a positive integer, such as 1")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/models/digit/predict", "MODEL_NOT_FOUND"),
        ("/v1/models/digits/versions/2/predict", "VERSION_NOT_FOUND"),
        ("/v1/models/digits/labels/stable/predict", "LABEL_NOT_FOUND"),
    ],
)
def test_what_is_not_there(http: httpx.Client, path: str, reason: str) -> None:
    answer = http.post(path, json={"pixels": BLANK})
    assert answer.status_code == 404
    assert (answer.json()["code"], answer.json()["reason"]) == ("NOT_FOUND", reason)


def test_too_much(http: httpx.Client) -> None:
    many = b'{"pixels": [%s0]}' % (b"0," * MAX_NUMBERS)
    long = b'{"pixels": [%s]}' % (b" " * Settings().max_http_body_bytes)
    for body in (many, long):
        answer = http.post("/v1/predict", content=body)
        assert answer.status_code == 413
        assert answer.json()["code"] == "RESOURCE_EXHAUSTED"
        assert "send fewer images in one request" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/v1/models%0A", "/v1/models/digits%0A", "/v2/models/%0A"])
def test_a_line_end_is_no_part_of_a_path(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data"])
def test_other_types(http: httpx.Client, kind: str) -> None:
    answer = http.post("/v1/predict", content=b"{}", headers={"content-type": kind})
    assert (answer.status_code, answer.json()["reason"]) == (415, "CONTENT_TYPE")
    assert "send application/json" in answer.json()["error"]


def test_options_belong_into_the_body(http: httpx.Client) -> None:
    answer = http.post("/v1/predict?canonicalize=true", json={"pixels": BLANK})
    assert (answer.status_code, violations(answer)) == (400, [("canonicalize", "QUERY")])
    assert "send it in the body" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/v1/models", "GET"), ("GET", "/v1/predict", "POST"), ("PUT", "/v1/network", "GET")],
)
def test_other_methods(http: httpx.Client, method: str, path: str, allowed: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"]
    assert answer.headers["content-type"] == "application/json"
