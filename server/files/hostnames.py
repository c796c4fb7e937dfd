"""The names that a certificate is for."""

import ipaddress
from collections.abc import Mapping
from typing import Any


def names_of(peer: Mapping[str, Any]) -> list[str]:
    """Return names by which a server with a certificate can be called.

    `peer` is the certificate as Python's ssl module shows that of a peer.
    """
    names = [_plain(kind, value) for kind, value in peer.get("subjectAltName", ())]
    # Only what has no other names is for the common one.
    names = names or [
        value for part in peer.get("subject", ()) for kind, value in part if kind == "commonName"
    ]
    return [name.replace("*", "any") for name in names]


def _plain(kind: str, value: str) -> str:
    # IPv6 comes with all its zeros.
    return str(ipaddress.ip_address(value)) if kind == "IP Address" else value
