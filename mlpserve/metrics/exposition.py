"""Reads a server's page of metrics, in Prometheus' text format."""

import http.client
import re
import ssl
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

Labels = frozenset[tuple[str, str]]
Samples = Mapping[str, Mapping[Labels, float]]
"""Values by the samples' names and labels."""

DEFAULT_ADDRESS = "localhost:8080"
KNOWN_BY = "mlpserve_workers"
"""A metric that every mlpserve server has, and no other."""

STAGES = ("decode", "queue", "run", "encode")
"""Where a call's time goes, in order: the label `stage` of mlpserve_stage_seconds."""

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_MAX_BYTES = 64 * 1024 * 1024


class PageError(Exception):
    """There is no page of metrics at an address; the message gives the reason and the remedy."""


def fetch(
    address: str, timeout_seconds: float, *, tls: bool = False, ca: Path | None = None
) -> Samples:
    """Return the page of the server whose HTTP address is HOST:PORT; raises PageError.

    With `tls`, and for https://HOST:PORT, over TLS; `ca` is a PEM file of the authorities to trust,
    None for those of this machine.
    """
    scheme, host, port = _split(address)
    connection = http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        if tls or ca is not None or scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            connection = http.client.HTTPSConnection(
                host, port, timeout=timeout_seconds, context=context
            )
        connection.request("GET", "/metrics", headers={"accept": "text/plain"})
        answer = connection.getresponse()
        text = answer.read(_MAX_BYTES).decode()
    except ssl.SSLError as error:
        raise PageError(f"{address}: {_explain_tls(error)}") from error
    except ConnectionResetError as error:
        raise PageError(
            f"{address} closes the connection; does it speak TLS? Give --tls, or --ca FILE for an "
            "authority of your own"
        ) from error
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise PageError(
            f"{address} does not answer ({reason}). Is a server running there? --http-address of "
            f"the server says where its metrics are, by default at {DEFAULT_ADDRESS}"
        ) from error
    except (http.client.HTTPException, UnicodeDecodeError) as error:
        raise PageError(
            f"{address} does not speak HTTP; give the address of --http-address, by default "
            f"{DEFAULT_ADDRESS}, not that of gRPC"
        ) from error
    finally:
        connection.close()
    # Names are shown on a terminal, which control characters would steer.
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    samples = parse(text) if answer.status == http.client.OK else {}
    if KNOWN_BY not in samples:
        raise PageError(
            f"{address} is not an mlpserve server: /metrics answers {answer.status} without "
            f"{KNOWN_BY}; give the address of --http-address, by default {DEFAULT_ADDRESS}"
        )
    return samples


def parse(text: str) -> Samples:
    """Return the samples of a page; other lines are left out."""
    samples: dict[str, dict[Labels, float]] = defaultdict(dict)
    # Not at what else may end a line, such as U+2028: names of labels may hold it.
    for line in text.split("\n"):
        if line.startswith("#") or not (match := _SAMPLE.match(line)):
            continue
        name, labels, value = match.groups()
        pairs = ((key, _unescape(text)) for key, text in _LABEL.findall(labels or ""))
        try:
            samples[name][frozenset(pairs)] = float(value)
        except ValueError:
            continue
    return dict(samples)


def _explain_tls(error: ssl.SSLError) -> str:
    """Return what is wrong with a connection of TLS, or with the file of its authorities."""
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        return f"its certificate is not trusted ({reason}); give --ca FILE with its authority"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return f"it does not speak TLS ({reason}); leave out --tls, --ca and https://"
    if error.reason in ("NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE"):
        return "--ca has no certificate in it; give a PEM file with one"
    return f"TLS fails ({reason}); is --ca the authority of the server's certificate?"


def _split(address: str) -> tuple[str, str, int]:
    """Return the scheme, empty when there is none, host and port; raises PageError."""
    wrong = f"{address!r} is not an address; give HOST:PORT, such as {DEFAULT_ADDRESS}"
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
        # As it is looked up, which may fail.
        (host or "").encode("idna")
    except ValueError as error:
        raise PageError(wrong) from error
    if not host or not port or parts.scheme not in ("", "http", "https"):
        raise PageError(wrong)
    return parts.scheme, host, port


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], value)
