"""OpenTelemetry's own variables, OTEL_*: what can't be used there is an error in one line.

The library raises over some, goes on without others, and fails with each span over the rest.
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
"""Spans sent at once: to encode them takes 1.4 ms, in which calls may wait."""

LONGEST_SECONDS = 86_400.0
LONGEST_REASON = 300
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
    """Whether the environment wants no traces, whatever else is set."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def check(endpoint: str) -> None:
    """Raise StartupError for what the library would take and fail over later.

    An empty variable is as good as none, to the standard if not to the library: it is taken away.
    """
    for name in _given():
        if not os.environ[name]:
            del os.environ[name]
    given = _given()
    for name, value in given.items():
        if not _is_unicode(value):
            raise _error(name, "it is not UTF-8")
    for name in _SECONDS:
        _check_number(name, given, float, 0.001, LONGEST_SECONDS)
    milliseconds = int(1000 * LONGEST_SECONDS)
    _check_number("OTEL_BSP_SCHEDULE_DELAY", given, int, 1, milliseconds)
    _check_number("OTEL_BSP_EXPORT_TIMEOUT", given, int, 1, milliseconds)
    _check_number("OTEL_BSP_MAX_QUEUE_SIZE", given, int, BATCH_SPANS, MAX_QUEUED_SPANS)
    if endpoint.startswith("https:"):
        for files in _TLS:
            _check_files(given, *files)


def check_headers(headers: Mapping[str, str], name: str) -> None:
    """Raise StartupError, which holds nothing of them, for headers that gRPC would not send."""
    for key, value in headers.items():
        is_text = value.isascii() and value.isprintable()
        if not _HEADER_NAME.fullmatch(key) or not is_text or key.startswith("grpc-"):
            raise _error(name, "wanted are NAME=VALUE, NAME=VALUE as HTTP/2 can send them")


def header_variables() -> dict[str, str]:
    """Return the variables that hold headers, by their names."""
    return {name: value for name, value in _given().items() if name in _HEADERS}


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Raise StartupError for whatever the library raises or logs, naming the variables."""
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
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _given() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _refused(text: str) -> StartupError:
    """Return the error for what the library says, which may hold headers, and so secrets."""
    given = _given()
    named = [name for name, value in given.items() if name in text or _is_quoted(value, text)]
    names = named or sorted(given)
    reason = "" if set(names) & set(_HEADERS) else f": {shorten(text, LONGEST_REASON)}"
    these = ", ".join(names) or "none of its variables, all of which are unset,"
    return StartupError(
        f"OpenTelemetry does not take the environment's {these}{reason}; mend or unset it, or "
        "leave --otlp-endpoint out"
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
        raise _error(name, f"{given[name][:40]!r}; wanted is {what} from {least:g} to {most:.0f}")


def _check_files(
    given: Mapping[str, str], certificate: str, client_certificate: str, client_key: str
) -> None:
    """Raise StartupError for files of certificates that the library would read."""
    # Without the first it looks at none.
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
        # ssl.SSLError is an OSError as well.
        raise _error(name, f"no PEM file that can be used ({error})") from error


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _error(names: str, reason: str) -> StartupError:
    return StartupError(
        f"the environment's {names} can't be used: {reason}; mend or unset it, or leave "
        "--otlp-endpoint out"
    )
