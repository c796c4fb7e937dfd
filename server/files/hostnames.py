"""The host names of a certificate."""

import ipaddress
from collections.abc import Mapping
from typing import Any


def names_of(peer: Mapping[str, Any]) -> list[str]:
    """Return the host names of a certificate, given as from ssl.SSLSocket.getpeercert."""
    names = [_plain(kind, value) for kind, value in peer.get("subjectAltName", ())]
    # The common name counts only if there are no others.
    names = names or [
        value for part in peer.get("subject", ()) for kind, value in part if kind == "commonName"
    ]
    return [name.replace("*", "any") for name in names]


def _plain(kind: str, value: str) -> str:
    # Normalises IPv6, which comes with all its zeros.
    return str(ipaddress.ip_address(value)) if kind == "IP Address" else value
