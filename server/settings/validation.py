"""Checks settings, each and together, and names the remedy for those that contradict each other."""

import re
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import StartupError
from server.settings.addresses import is_socket
from server.settings.lists import read_list
from server.settings.settings import MAX_COUNT, PER_MODEL, Settings
from server.texts import has_controls, shorten

EVERY_ORIGIN = "*"
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")

MAX_DRAIN_SECONDS = 600.0
"""Load balancers react within seconds; a longer drain is a typing error."""


def check(settings: Settings) -> None:
    """Raise StartupError when a setting can't be used, or some contradict each other."""
    for name, value in asdict(settings).items():
        # Settings with a part for each model may have several lines.
        if name not in PER_MODEL and (reason := _unusable(value)):
            flag = f"--{name.replace('_', '-')}"
            raise StartupError(
                f"{name} is {shorten(repr(value), 80)}, {reason}; give another {flag}"
            )
    for wrong, message in _contradictions(settings):
        if wrong:
            raise StartupError(message)


def _unusable(value: object) -> str:
    """Return why no setting can have a value, empty if it can be used."""
    match value:
        case int() if value > MAX_COUNT:
            return f"more than {MAX_COUNT}"
        case str() | Path() if has_controls(str(value)):
            return "which contains a line end or another control character"
        # Paths may have any bytes.
        case str() if any("\ud800" <= letter <= "\udfff" for letter in value):
            return "which is not valid Unicode"
    return ""


def _contradictions(settings: Settings) -> tuple[tuple[bool, str], ...]:
    """Return for each contradiction whether it is there, and the message with the remedy."""
    return (
        (
            settings.tls_key is not None and settings.tls_certificate is None,
            "tls_key is given without tls_certificate; give --tls-certificate too",
        ),
        (
            settings.tls_certificate is not None and settings.tls_key is None,
            "tls_certificate is given without tls_key; give --tls-key too",
        ),
        (
            settings.tls_client_ca is not None and settings.tls_certificate is None,
            "tls_client_ca is given, but callers present certificates only over TLS; give "
            "--tls-certificate and --tls-key too",
        ),
        (
            settings.http_tls == "on" and settings.tls_certificate is None,
            "http_tls is on without tls_certificate; give --tls-certificate and --tls-key too",
        ),
        *_wrong_origins(settings.http_cors_origins),
        (
            settings.tokens_file is not None and settings.tokens_file == settings.admin_tokens_file,
            f"tokens_file and admin_tokens_file are both {settings.tokens_file}, which would make "
            "every caller an administrator; give --admin-tokens-file another file",
        ),
        (
            settings.max_queued_images < settings.max_batch_size,
            f"max_queued_images is {settings.max_queued_images}, less than max_batch_size, "
            f"{settings.max_batch_size}: a full batch could never be queued; raise "
            "--max-queued-images or lower --max-batch-size",
        ),
        (
            settings.workers > 1 and is_socket(settings.grpc_address),
            f"workers is {settings.workers}, but only one can listen on {settings.grpc_address}; "
            "give --workers 1 or a port",
        ),
        (
            settings.drain_delay_seconds > MAX_DRAIN_SECONDS,
            f"drain_delay_seconds is {settings.drain_delay_seconds:g}, more than "
            f"{MAX_DRAIN_SECONDS:g}; lower --drain-delay-seconds",
        ),
        (
            bool(settings.otlp_endpoint) and not _is_url(settings.otlp_endpoint),
            f"otlp_endpoint is {settings.otlp_endpoint!r}, not an http or https URL with a host; "
            "give --otlp-endpoint http://HOST:4317",
        ),
    )


def _wrong_origins(text: str) -> tuple[tuple[bool, str], ...]:
    """Return for each origin whether no browser sends it, and the message with the remedy."""
    origins = read_list(text)
    return (
        *(
            (
                origin != EVERY_ORIGIN and not _ORIGIN.fullmatch(origin),
                f"http_cors_origins has {shorten(repr(origin), 80)}, which is not an origin; give "
                "--http-cors-origins https://HOST or https://HOST:PORT, without a path and in "
                "lower case",
            )
            for origin in origins
        ),
        (
            EVERY_ORIGIN in origins and len(origins) > 1,
            "http_cors_origins has * for all origins and others too; give one or the other",
        ),
    )


def _is_url(text: str) -> bool:
    """Whether a text is a URL that OTLP can be sent to."""
    try:
        parts = urlsplit(text)
        # Raises ValueError if it is not a port.
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
