"""Makes gRPC channels."""

import grpc
import grpc.aio

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


def open_aio_channel(settings: Settings) -> grpc.aio.Channel:
    """Return a channel of the running event loop, as `open_channel` does for threads."""
    if settings.tls is None:
        return grpc.aio.insecure_channel(settings.address, options=settings.options)
    return grpc.aio.secure_channel(
        settings.address, settings.tls.credentials(), options=settings.options
    )
