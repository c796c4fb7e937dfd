"""Tries a certificate out: a gRPC server shows it to a gRPC caller, both in this process."""

import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from server.files.certificates import KEYS, Certificate, CertificateError, is_self_signed, split
from server.files.hostnames import names_of
from server.rpc.listening.tls import configuration

TIMEOUT_SECONDS = 5.0
"""How long one handshake may take, which takes some milliseconds."""

MAX_NAMES = 3
"""Of a certificate's names, how many are tried."""

NO_NAME = "localhost"
OTHER_NAME = "hostname"
"""What gRPC says of a connection that is well but for the name in the certificate."""

ADDRESS = "127.0.0.1:0"

_REMEDY = (
    "give a certificate for a server's name, with those of its authorities behind it, and a key of "
    + KEYS
)


def attempt(pair: Certificate) -> None:
    """Make a connection with a certificate; raises CertificateError when no caller could.

    gRPC silently accepts a certificate that it can't use, or keeps the one before.
    """
    with ThreadPoolExecutor(1) as pool:
        # Nobody else is to get the port.
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        try:
            port = _listen(server, pair, None)
            asking = port if pair.client_ca is None else _listen(server, pair, pair.client_ca)
            server.start()
            names = _shown_names(asking, pair.certificate)
            _call(port, pair.certificate, names or [NO_NAME])
        finally:
            server.stop(None).wait()


def _listen(server: grpc.Server, pair: Certificate, client_ca: bytes | None) -> int:
    """Return the port of a server that has the certificate; raises CertificateError."""
    shown = configuration(Certificate(pair.certificate, pair.key, client_ca))
    # By the way in which the server itself takes it.
    credentials = grpc.dynamic_ssl_server_credentials(
        shown,
        lambda: None,  # type: ignore[arg-type, return-value]
        require_client_authentication=client_ca is not None,
    )
    try:
        return server.add_secure_port(ADDRESS, credentials)
    except RuntimeError as error:
        what = "it" if client_ca is None else "the authorities"
        raise CertificateError(f"gRPC does not accept {what}", _REMEDY) from error


def _shown_names(port: int, certificate: bytes) -> list[str]:
    """Return names that the certificate is for, as the server shows it to whoever connects.

    By then the server has also sent the authorities it accepts for callers, if any.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=_trusted(certificate).decode("ascii", "replace"))
        with (
            socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain) as secure,
        ):
            return names_of(secure.getpeercert() or {})[:MAX_NAMES]
    except TimeoutError as error:
        raise _late() from error
    except OSError as error:
        raise CertificateError(f"no connection can be made with it: {error}", _REMEDY) from error


def _call(port: int, certificate: bytes, names: list[str]) -> None:
    """Call the server by each name until one will do; raises CertificateError."""
    credentials = grpc.ssl_channel_credentials(_trusted(certificate))
    reason = ""
    for name in names:
        options = [
            ("grpc.ssl_target_name_override", name),
            ("grpc.default_authority", "localhost"),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/none/none")
            try:
                ask(b"", timeout=TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    # So says the server, which has no methods, once there is a connection.
                    return
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise _late() from error
                reason = _reason(error.details() or "")
    # Who shows another kind of name, or none, has callers that look at something else.
    if OTHER_NAME not in reason.lower():
        raise CertificateError(f"gRPC makes no connection with it: {reason}", _REMEDY)


def _late() -> CertificateError:
    message = f"gRPC made no connection with it within {TIMEOUT_SECONDS:g} s"
    return CertificateError(message, "it is tried again", time.time())


def _trusted(certificate: bytes) -> bytes:
    """Return the certificates that the caller trusts, as PEM.

    It is the certificate, or those behind it, so that they are looked at as well.
    """
    first, *others = split(certificate)
    return b"\n".join([first] if is_self_signed(first) or not others else others)


def _reason(details: str) -> str:
    """Return the cause from a message of gRPC's core, without the throw-away address in it."""
    return re.split(r"OPENSSL_internal:|127\.0\.0\.1:\d+: ", details)[-1]
