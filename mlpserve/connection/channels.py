"""Makes gRPC channels."""

import grpc

from mlpserve.connection.settings import Settings


def open_channel(settings: Settings) -> grpc.Channel:
    """Return a channel, which connects with the first call; raises OSError when a file of its TLS
    settings can't be read.
    """
    if settings.tls is None:
        return grpc.insecure_channel(settings.address, options=settings.options)
    return grpc.secure_channel(
        settings.address, settings.tls.credentials(), options=settings.options
    )
