"""TLS as gRPC takes it, with the newest certificate for each new connection."""

import grpc

from server.files.certificates import Certificate
from server.files.watched_files import WatchedFiles


def configuration(pair: Certificate) -> grpc.ServerCertificateConfiguration:
    """Return the certificate as gRPC takes it."""
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], pair.client_ca)


def credentials(files: WatchedFiles[Certificate]) -> grpc.ServerCredentials:
    """Return TLS with the files' content, of which each new connection gets the newest.

    No file is read and nothing is tried out there: new connections would wait for it.
    """
    shown = files.content

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        newest = files.content
        if newest is shown:
            return None
        shown = newest
        return configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        configuration(shown),
        # Its types leave out that None stands for no change.
        fetch,  # type: ignore[arg-type]
        require_client_authentication=shown.client_ca is not None,
    )
