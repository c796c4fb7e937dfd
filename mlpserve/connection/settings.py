"""What a client is made with, checked: both clients make their channels from it."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Self

import grpc

from mlpserve.connection.address import check_address
from mlpserve.connection.credentials import Tls, check_tls, token_metadata
from mlpserve.connection.options import MAX_RETRIES, Options, channel_options
from mlpserve.connection.seconds import check_seconds
from mlpserve.timing import asking

Metadata = tuple[tuple[str, str], ...]

MAX_CONNECTIONS = 256
"""Connections of one client; each takes about 100 kB in the caller and as much in the server."""

_COMPRESSIONS = {None: grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is, how channels to it are made, and what each call says and may take."""

    address: str
    timeout_seconds: float
    tls: Tls | None
    options: tuple[tuple[str, int | str], ...]
    metadata: Metadata | None
    n_channels: int
    compression: grpc.Compression
    wait_for_ready: bool
    hedge_after_seconds: float | None

    @classmethod
    def check(
        cls,
        address: str,
        timeout_seconds: float,
        options: Options | None,
        tls: Tls | None,
        token: str | None,
        plaintext_token: bool,
        *,
        connections: int = 1,
        retries: int = 3,
        hedge_after_seconds: float | None = None,
        wait_for_ready: bool = False,
        compression: str | None = None,
    ) -> Self:
        """Return the settings that stand for a client's parameters, as `mlpserve.Client` explains
        them; raises TypeError and ValueError as it does.
        """
        check_address(address)
        check_tls(tls)
        is_readable = token is not None and tls is None
        n_channels = _check_count("connections", connections, 1, MAX_CONNECTIONS)
        if hedge_after_seconds is not None:
            hedge_after_seconds = check_seconds("hedge_after_seconds", hedge_after_seconds)
            n_channels = max(2, n_channels)
        retries = _check_count("retries", retries, 0, MAX_RETRIES)
        if not (compression is None or isinstance(compression, str)):
            raise TypeError(f"compression is {compression!r:.100}; give 'gzip', or None for none")
        if compression not in _COMPRESSIONS:
            raise ValueError(f"compression is {compression!r:.100}; give 'gzip', or None for none")
        return cls(
            address,
            check_seconds("timeout_seconds", timeout_seconds),
            tls,
            tuple(channel_options(address, options or {}, retries, is_readable).items()),
            None
            if token is None
            else token_metadata(token, address, is_safe=tls is not None or plaintext_token),
            n_channels,
            _COMPRESSIONS[compression],
            bool(wait_for_ready),
            hedge_after_seconds,
        )

    def timed(self) -> Self:
        """Return the settings of calls that ask for their timing."""
        return replace(self, metadata=asking(self.metadata))

    def seconds(self, timeout_seconds: float | None) -> float:
        """Return how long a call may take; raises TypeError and ValueError."""
        if timeout_seconds is None:
            return self.timeout_seconds
        return check_seconds("timeout_seconds", timeout_seconds)


def _check_count(name: str, count: object, least: int, most: int) -> int:
    if isinstance(count, bool) or not isinstance(count, Integral):
        raise TypeError(f"{name} is {count!r:.100}; give a whole number from {least} to {most}")
    if not least <= int(count) <= most:
        raise ValueError(f"{name} is {count!s:.20}; give a whole number from {least} to {most}")
    return int(count)
