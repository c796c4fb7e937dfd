"""What a prediction's request says: images and options, checked before any work."""

import difflib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

import orjson

from mlpserve.images import Pixels
from server.http.coding.numbers import (
    MAX_NUMBERS,
    Invalid,
    has_too_many,
    read_floats,
    read_levels,
    shown,
)
from server.http.errors import HttpError
from server.texts import quoted

OPTIONS = ("hidden_activations", "canonicalize", "canonical_pixels")

PIXELS: dict[str, Callable[[str, object], Pixels]] = {
    "pixels": read_floats,
    "pixels_u8": read_levels,
}

FIELDS = (*PIXELS, *OPTIONS)

ELSEWHERE = {
    "model": "name it in the path, as /v1/models/{model}/predict",
    "version": "name it in the path, as /v1/models/{model}/versions/{version}/predict",
    "label": "name it in the path, as /v1/models/{model}/labels/{label}/predict",
    "inputs": "that is the Open Inference Protocol's, at /v2/models/{model}/infer",
    "instances": "images are called pixels here",
}
"""What other APIs have in the body."""

MAX_UNKNOWN, MAX_NAME = 10, 64
"""Unknown fields that are told, and characters of names for which similar ones are looked for."""

Violations = list[dict[str, str]]


class Options(NamedTuple):
    """What a caller wants to know beside labels and activations."""

    hidden_activations: bool = False
    canonicalize: bool = False
    canonical_pixels: bool = False


def read_body(body: bytes) -> tuple[Pixels, Options]:
    """Return the pixels, in the shape in which they were sent, and the options that a body of JSON
    has; raises HttpError.
    """
    content = parse(body)
    unknown = (field for field in content if field not in FIELDS)
    violations = [_explain_unknown(field) for field in islice(unknown, MAX_UNKNOWN)]
    options = _read_options(content, violations)
    pixels = _read_pixels(content, violations)
    if violations:
        raise refuse(violations)
    assert pixels is not None
    _check_duplicates(body, content)
    return pixels, options


def parse(body: bytes) -> dict[str, Any]:
    """Return the object that a body of JSON is; raises HttpError."""
    if not body:
        raise _refuse_body("is empty", "NO_BODY")
    if has_too_many(body):
        raise HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {MAX_NUMBERS} numbers; send fewer images in one request, "
            "pixels_u8 as base64, or call gRPC's Predict",
            reason="BODY_NUMBERS",
        )
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = ""
        if any(word in body for word in (b"NaN", b"Infinity")):
            hint = ", which has no NaN and no Infinity"
        raise _refuse_body(f"is not valid JSON{hint}: {error}", "JSON") from error
    if not isinstance(content, dict):
        raise _refuse_body(f"is {shown(content)}, not a JSON object", "JSON")
    return content


def refuse(violations: Violations) -> HttpError:
    """Return the error that names the fields at fault."""
    message = "; ".join(violation["description"] for violation in violations)
    return HttpError(HTTPStatus.BAD_REQUEST, message, violations=violations)


def violate(field: str, description: str, reason: str) -> dict[str, str]:
    """Return what is wrong with a field."""
    return {"field": field, "description": description, "reason": reason}


def explain_unknown(name: str, known: Sequence[str], kind: str) -> str:
    """Return why a name is refused, and which may have been meant."""
    close = difflib.get_close_matches(name[:MAX_NAME], known, 1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{quoted(name)} is not a {kind}; {hint}"


def _explain_unknown(field: str) -> dict[str, str]:
    if field in ELSEWHERE:
        description = f"{field} is not a field of the body; {ELSEWHERE[field]}"
    else:
        description = explain_unknown(field, FIELDS, "field")
    return violate(field[:80], description, "UNKNOWN_FIELD")


def _read_options(content: dict[str, Any], violations: Violations) -> Options:
    given = {name: content[name] for name in OPTIONS if name in content}
    for name, value in given.items():
        if not isinstance(value, bool):
            description = f"{name} is {shown(value)}; send true or false"
            violations.append(violate(name, description, "TYPE"))
    return Options(**given)


def _read_pixels(content: dict[str, Any], violations: Violations) -> Pixels | None:
    given = [name for name in PIXELS if name in content]
    if len(given) != 1:
        description = (
            "pixels and pixels_u8 are both given; send one of them"
            if given
            else 'there are no pixels; send {"pixels": [...]}, numbers image after image'
        )
        violations.append(violate("pixels", description, "BOTH_FORMS" if given else "NO_PIXELS"))
        return None
    (name,) = given
    try:
        return PIXELS[name](name, content[name])
    except Invalid as error:
        violations.append(violate(name, error.description, error.reason))
        return None


def _check_duplicates(body: bytes, content: dict[str, Any]) -> None:
    """Raise HttpError when a name stands twice in the body, of which parsing leaves one.

    All other strings are known by now, and none of them holds quotes.
    """
    n_strings = len(content) + sum(isinstance(value, str) for value in content.values())
    if body.count(b'"') > 2 * n_strings:
        counts = {name: body.count(f'"{name}"'.encode()) for name in content}
        name = max(content, key=lambda name: counts[name])
        raise refuse([violate(name, f"{name} is given more than once; send it once", "DUPLICATE")])


def _refuse_body(what: str, reason: str) -> HttpError:
    description = f'the body {what}; send {{"pixels": [...]}}, or a PNG or JPEG file'
    return refuse([violate("body", description, reason)])
