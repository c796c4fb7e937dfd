"""Checks OpenTelemetry's variables, OTEL_*, and reports invalid ones in one line.

The library itself raises for some, ignores others, and fails with every span for the rest.
"""

import contextlib
import logging
import logging.handlers
import math
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping

from server.errors import StartupError
from server.texts import shorten

PREFIX = "OTEL_"
BATCH_SPANS = 64
"""Spans sent at once: encoding them takes 1.4 ms, during which calls may wait."""

MAX_SECONDS = 86_400.0
MAX_REASON = 300
MAX_QUEUED_SPANS = 10_000_000

_SECONDS = tuple(f"OTEL_EXPORTER_OTLP_{signal}TIMEOUT" for signal in ("", "TRACES_"))
_HEADERS = tuple(f"OTEL_EXPORTER_OTLP_{signal}HEADERS" for signal in ("", "TRACES_"))
_HEADER_NAME = re.compile(r"[0-9a-z_.-]+")


def is_disabled() -> bool:
    """Whether the environment turns traces off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def check(endpoint: str) -> None:
    """Raise StartupError for values that the library would accept and fail with later.

    Empty variables are removed: by the standard they are unset, though not to the library.
    """
    for name, value in _given().items():
        if not value:
            del os.environ[name]
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _error(name, "it is not UTF-8") from error
    for name in _SECONDS:
        _check_number(name, float, 0.001, MAX_SECONDS)
    milliseconds = int(1000 * MAX_SECONDS)
    _check_number("OTEL_BSP_SCHEDULE_DELAY", int, 1, milliseconds)
    _check_number("OTEL_BSP_EXPORT_TIMEOUT", int, 1, milliseconds)
    _check_number("OTEL_BSP_MAX_QUEUE_SIZE", int, BATCH_SPANS, MAX_QUEUED_SPANS)
    if endpoint.startswith("https:"):
        for signal in ("", "TRACES_"):
            _check_files(f"OTEL_EXPORTER_OTLP_{signal}")


def check_headers(parse: Callable[[str], Mapping[str, str]]) -> None:
    """Raise StartupError, which does not show them, for headers that gRPC would not send."""
    for name in _HEADERS:
        for key, value in parse(os.environ.get(name, "")).items():
            is_text = value.isascii() and value.isprintable()
            if not _HEADER_NAME.fullmatch(key) or not is_text or key.startswith("grpc-"):
                raise _error(name, "expected NAME=VALUE, NAME=VALUE, as HTTP/2 can send them")


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Raise StartupError, with the variables' names, for whatever the library raises or logs."""
    library = logging.getLogger("opentelemetry")
    heard = logging.handlers.MemoryHandler(capacity=1)
    heard.setLevel(logging.WARNING)
    level, propagates = library.level, library.propagate
    library.addHandler(heard)
    library.setLevel(logging.WARNING)
    library.propagate = False
    try:
        yield
    except (StartupError, ImportError):
        raise
    except Exception as error:
        raise _refused(str(error)) from error
    finally:
        library.removeHandler(heard)
        library.setLevel(level)
        library.propagate = propagates
    if heard.buffer:
        raise _refused(heard.buffer[0].getMessage())


def _given() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _refused(text: str) -> StartupError:
    """Return the error for a message of the library, which may contain headers, and so secrets."""
    given = _given()
    # By its name, or by its value as a word.
    named = [
        name
        for name, value in given.items()
        if name in text or (value[1:] and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text))
    ]
    names = named or sorted(given)
    reason = "" if set(names) & set(_HEADERS) else f": {shorten(text, MAX_REASON)}"
    these = ", ".join(names) or "none of its variables, all of which are unset,"
    return StartupError(
        f"OpenTelemetry rejects the environment's {these}{reason}; correct or unset it, or leave "
        "--otlp-endpoint out"
    )


def _check_number(name: str, kind: type[float], least: float, most: float) -> None:
    text = os.environ.get(name)
    if text is None:
        return
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        what = "a whole number" if kind is int else "a number"
        raise _error(name, f"{text[:40]!r}; expected {what} from {least:g} to {most:.0f}")


def _check_files(prefix: str) -> None:
    """Raise StartupError for invalid certificate files that the library would read."""
    name, certificate, key = (
        f"{prefix}{file}" for file in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
    )
    # Without the first it reads none.
    if name not in os.environ:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(os.environ[name])
        name = f"{certificate}, {key}"
        if certificate in os.environ or key in os.environ:
            context.load_cert_chain(os.environ[certificate], os.environ[key], password="")
    except KeyError as error:
        raise _error(name, f"{error} is missing; give both or neither") from error
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError, too.
        raise _error(name, f"not a usable PEM file ({error})") from error


def _error(names: str, reason: str) -> StartupError:
    return StartupError(
        f"the environment's {names} can't be used: {reason}; correct or unset it, or leave "
        "--otlp-endpoint out"
    )
