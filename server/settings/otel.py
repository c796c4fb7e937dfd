"""Checks OpenTelemetry's variables, OTEL_*, and reports invalid ones in one line.

The library itself raises for some, ignores others, and fails with every span for the rest.
"""

import contextlib
import logging
import math
import os
import re
import ssl
from collections.abc import Iterator, Mapping

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
_TLS = tuple(
    tuple(
        f"OTEL_EXPORTER_OTLP_{signal}{file}"
        for file in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
    )
    for signal in ("", "TRACES_")
)
_HEADER_NAME = re.compile(r"[0-9a-z_.-]+")


def is_disabled() -> bool:
    """Whether the environment turns traces off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def check(endpoint: str) -> None:
    """Raise StartupError for values that the library would accept and fail with later.

    Empty variables are removed: by the standard they are unset, though not to the library.
    """
    for name in _given():
        if not os.environ[name]:
            del os.environ[name]
    given = _given()
    for name, value in given.items():
        if not _is_unicode(value):
            raise _error(name, "it is not UTF-8")
    for name in _SECONDS:
        _check_number(name, given, float, 0.001, MAX_SECONDS)
    milliseconds = int(1000 * MAX_SECONDS)
    _check_number("OTEL_BSP_SCHEDULE_DELAY", given, int, 1, milliseconds)
    _check_number("OTEL_BSP_EXPORT_TIMEOUT", given, int, 1, milliseconds)
    _check_number("OTEL_BSP_MAX_QUEUE_SIZE", given, int, BATCH_SPANS, MAX_QUEUED_SPANS)
    if endpoint.startswith("https:"):
        for files in _TLS:
            _check_files(given, *files)


def check_headers(headers: Mapping[str, str], name: str) -> None:
    """Raise StartupError, which does not show them, for headers that gRPC would not send."""
    for key, value in headers.items():
        is_text = value.isascii() and value.isprintable()
        if not _HEADER_NAME.fullmatch(key) or not is_text or key.startswith("grpc-"):
            raise _error(name, "expected is NAME=VALUE, NAME=VALUE, as HTTP/2 can send them")


def header_variables() -> dict[str, str]:
    """Return the variables with headers, by name."""
    return {name: value for name, value in _given().items() if name in _HEADERS}


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Raise StartupError, with the variables' names, for whatever the library raises or logs."""
    library = logging.getLogger("opentelemetry")
    heard = _Heard()
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
    if heard.texts:
        raise _refused(heard.texts[0])


class _Heard(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _given() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _refused(text: str) -> StartupError:
    """Return the error for a message of the library, which may contain headers, and so secrets."""
    given = _given()
    named = [name for name, value in given.items() if name in text or _is_quoted(value, text)]
    names = named or sorted(given)
    reason = "" if set(names) & set(_HEADERS) else f": {shorten(text, MAX_REASON)}"
    these = ", ".join(names) or "none of its variables, all of which are unset,"
    return StartupError(
        f"OpenTelemetry rejects the environment's {these}{reason}; correct or unset it, or leave "
        "--otlp-endpoint out"
    )


def _is_quoted(value: str, text: str) -> bool:
    return len(value) > 1 and bool(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text))


def _check_number(
    name: str, given: Mapping[str, str], kind: type[float], least: float, most: float
) -> None:
    if name not in given:
        return
    try:
        number = kind(given[name])
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        what = "a whole number" if kind is int else "a number"
        raise _error(name, f"{given[name][:40]!r}; expected {what} from {least:g} to {most:.0f}")


def _check_files(
    given: Mapping[str, str], certificate: str, client_certificate: str, client_key: str
) -> None:
    """Raise StartupError for invalid certificate files that the library would read."""
    # Without the first it reads none.
    if certificate not in given:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = certificate
    try:
        context.load_verify_locations(given[certificate])
        name = f"{client_certificate}, {client_key}"
        if client_certificate in given or client_key in given:
            context.load_cert_chain(given[client_certificate], given[client_key], password="")
    except KeyError as error:
        raise _error(name, f"{error} is missing; give both or neither") from error
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError, too.
        raise _error(name, f"not a usable PEM file ({error})") from error


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(names: str, reason: str) -> StartupError:
    return StartupError(
        f"the environment's {names} can't be used: {reason}; correct or unset it, or leave "
        "--otlp-endpoint out"
    )
