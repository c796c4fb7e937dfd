"""Settings that are each fine and make no sense together: found at the start, with the remedy."""

from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import StartupError
from server.settings.addresses import is_socket
from server.settings.settings import PER_MODEL, Settings
from server.texts import has_controls, shorten

LARGEST_INTEGER = 2**31 - 1
"""What gRPC and the system take as a number of anything."""

LONGEST_DRAIN_SECONDS = 600.0
"""Balancers learn within seconds where to send no more calls; a longer drain is a slip."""


def check(settings: Settings) -> None:
    """Raise StartupError when some of the settings contradict each other."""
    for name, value in asdict(settings).items():
        # Those with parts may stand on several lines.
        if name not in PER_MODEL and (reason := _unusable(value)):
            flag = f"--{name.replace('_', '-')}"
            raise StartupError(
                f"{name} is {shorten(repr(value), 80)}, {reason}; give another {flag}"
            )
    for wrong, message in _contradictions(settings):
        if wrong:
            raise StartupError(message)


def _unusable(value: object) -> str:
    """Return what is wrong with a value, whatever it is of; nothing if it can be used."""
    match value:
        case int() if value > LARGEST_INTEGER:
            return f"more than {LARGEST_INTEGER}"
        case str() | Path() if has_controls(str(value)):
            return "which holds a line end or another control character"
        # Paths need not be.
        case str() if any("\ud800" <= letter <= "\udfff" for letter in value):
            return "which is not Unicode"
    return ""


def _contradictions(its: Settings) -> tuple[tuple[bool, str], ...]:
    """Return what may be wrong, whether it is, and what to do about it."""
    return (
        (
            its.tls_key is not None and its.tls_certificate is None,
            "tls_key is given without tls_certificate; give --tls-certificate too",
        ),
        (
            its.tls_certificate is not None and its.tls_key is None,
            "tls_certificate is given without tls_key; give --tls-key too",
        ),
        (
            its.tls_client_ca is not None and its.tls_certificate is None,
            "tls_client_ca is given, but callers can show certificates over TLS only; give "
            "--tls-certificate and --tls-key too",
        ),
        (
            its.tokens_file is not None and its.tokens_file == its.admin_tokens_file,
            f"tokens_file and admin_tokens_file are both {its.tokens_file}, which would let every "
            "caller administer; give --admin-tokens-file another file",
        ),
        (
            its.max_queued_images < its.max_batch_size,
            f"max_queued_images is {its.max_queued_images}, less than max_batch_size, "
            f"{its.max_batch_size}: a full batch could never wait; raise --max-queued-images or "
            "lower --max-batch-size",
        ),
        (
            its.workers > 1 and is_socket(its.grpc_address),
            f"workers is {its.workers}, and only one can listen on {its.grpc_address}; give "
            "--workers 1 or a port",
        ),
        (
            its.drain_delay_seconds > LONGEST_DRAIN_SECONDS,
            f"drain_delay_seconds is {its.drain_delay_seconds:g}, and after "
            f"{LONGEST_DRAIN_SECONDS:g} s at most no caller still comes; lower "
            "--drain-delay-seconds",
        ),
        (
            bool(its.otlp_endpoint) and not _is_url(its.otlp_endpoint),
            f"otlp_endpoint is {its.otlp_endpoint!r}, no URL with http or https and a host; give "
            "--otlp-endpoint http://HOST:4317",
        ),
    )


def _is_url(text: str) -> bool:
    """Whether a text is a URL that OTLP can be sent to."""
    try:
        parts = urlsplit(text)
        # Reading it checks it.
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
