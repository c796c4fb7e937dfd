"""What a client is made with, checked: both clients make their channels from it."""

from dataclasses import dataclass
from typing import Self

from mlpserve.connection.address import check_address
from mlpserve.connection.credentials import Tls, token_metadata
from mlpserve.connection.options import Options, channel_options
from mlpserve.connection.seconds import check_seconds

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is, how channels to it are made, and what each call says and may take."""

    address: str
    timeout_seconds: float
    tls: Tls | None
    options: tuple[tuple[str, int | str], ...]
    metadata: Metadata | None

    @classmethod
    def check(
        cls,
        address: str,
        timeout_seconds: float,
        options: Options | None,
        tls: Tls | None,
        token: str | None,
        plaintext_token: bool,
    ) -> Self:
        """Return the settings that stand for a client's parameters, as `mlpserve.Client` explains
        them; raises TypeError and ValueError as it does.
        """
        check_address(address)
        is_readable = token is not None and tls is None
        return cls(
            address,
            check_seconds("timeout_seconds", timeout_seconds),
            tls,
            tuple(channel_options(address, options or {}, is_readable).items()),
            None
            if token is None
            else token_metadata(token, address, is_safe=tls is not None or plaintext_token),
        )

    def seconds(self, timeout_seconds: float | None) -> float:
        """Return how long a call may take; raises TypeError and ValueError."""
        if timeout_seconds is None:
            return self.timeout_seconds
        return check_seconds("timeout_seconds", timeout_seconds)
