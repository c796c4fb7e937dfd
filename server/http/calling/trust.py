"""Whom HTTP's process expects at the gRPC port, and how it identifies there."""

from collections.abc import Mapping
from http import HTTPStatus

from mlpserve import Tls
from server.http.connections.identity import Identities, leaf
from server.http.errors import LATER, HttpError


def trust(identities: Identities) -> tuple[Tls, Mapping[str, str | int]]:
    """Return what connections trust and show, and the channel options that go with it; raises
    HttpError.
    """
    if not identities.known:
        raise _unusable("it can't be read")
    name = _name(identities)
    if name is None:
        raise _unusable("it has no host name")
    ca = b"\n".join(leaf(identity.certificate) for identity in identities.known)
    own = identities.known[0].certificate
    tls = Tls(ca) if own.client_ca is None else Tls(ca, own.certificate, own.key)
    return tls, {"grpc.ssl_target_name_override": name}


def _name(identities: Identities) -> str | None:
    """Return a name of the newest certificate, one that the others have too if there is one."""
    names, *others = (identity.names for identity in identities.known)
    shared = [name for name in names if all(name in other for other in others)]
    return next(iter([*shared, *names]), None)


def _unusable(why: str) -> HttpError:
    return HttpError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"HTTP can't connect to the gRPC port with the server's certificate: {why}; give "
        "--tls-certificate another one",
        reason="CERTIFICATE",
        headers=LATER,
    )
