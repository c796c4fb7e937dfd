"""The options with which a command reaches its server."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from mlpserve.client import Client
from mlpserve.connection.address import DEFAULT_ADDRESS, check_address, is_local
from mlpserve.connection.credentials import Tls, fault_of_token
from mlpserve.connection.seconds import check_seconds
from mlpserve.errors import ScaleWarning

Command = TypeVar("Command", bound=Callable[..., Any])


def time_option(
    name: str, default: float, description: str, min_seconds: float = 0.0
) -> Callable[[Command], Command]:
    """Return an option that takes a time in seconds, above 0 and at least `min_seconds`."""

    def check(_context: click.Context, _parameter: click.Parameter, seconds: float) -> float:
        try:
            return check_seconds("the time", seconds, min_seconds)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return click.option(
        name, type=float, callback=check, default=default, show_default=True, help=description
    )


class WholeNumber(click.IntRange):
    """A whole number, of which an error says what to give."""

    def __init__(self, least: int, remedy: str) -> None:
        super().__init__(min=least)
        self._remedy = remedy

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; raises BadParameter."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(
                f"{value!r:.100} is not a whole number from {self.min} on; {self._remedy}",
                param,
                ctx,
            )


model_option = click.option("--model", default="", help="The model's name. Default: the server's.")
version_option = click.option(
    "--version",
    type=WholeNumber(0, "give the number of a version, such as 1, or 0 for the newest"),
    default=0,
    help="The model's version. Default: the newest.",
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_ADDRESS = click.option(
    "--address", default=DEFAULT_ADDRESS, show_default=True, help="HOST:PORT of the server."
)
_TIMEOUT = time_option("--timeout-seconds", 10.0, "How long a call may take, retries included.")
tls_option = click.option(
    "--tls", is_flag=True, help="Use TLS; trust the authorities that are commonly trusted."
)
ca_option = click.option(
    "--ca", type=_FILE, help="Use TLS; trust the authorities in this PEM file."
)
_SECURITY = (
    tls_option,
    ca_option,
    click.option("--certificate", type=_FILE, help="PEM file with the client certificate."),
    click.option("--key", type=_FILE, help="PEM file with the certificate's private key."),
    click.option("--token-file", type=_FILE, help="File with the bearer token and nothing else."),
)


@dataclass(frozen=True, slots=True)
class Reach:
    """How a server is reached, as the options say."""

    tls: Tls | None
    token: str | None

    def check(self, address: str) -> None:
        """End the command when there can be no server at the address, or the token would be sent
        there unencrypted.
        """
        try:
            check_address(address, tls="--tls or --ca FILE")
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        if self.token is not None and self.tls is None and not is_local(address):
            raise click.UsageError(
                f"the token would be sent to {address} unencrypted; give --tls or --ca"
            )


def with_reach(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of TLS and tokens, and call it with a `Reach` instead of their
    values.
    """

    @functools.wraps(command)
    def reached(
        *,
        tls: bool,
        ca: Path | None,
        certificate: Path | None,
        key: Path | None,
        token_file: Path | None,
        **others: Any,
    ) -> None:
        if (certificate is None) != (key is None):
            raise click.UsageError("--certificate and --key go together; give both or neither")
        is_safe = tls or ca is not None or certificate is not None
        token = None if token_file is None else _read_token(token_file)
        command(reach=Reach(Tls(ca, certificate, key) if is_safe else None, token), **others)

    for option in reversed(_SECURITY):
        option(reached)
    return reached


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options with which it reaches its server, and call it with a client
    instead of their values.
    """

    @functools.wraps(command)
    def connected(*, address: str, timeout_seconds: float, reach: Reach, **others: Any) -> None:
        reach.check(address)
        try:
            client = Client(
                address, timeout_seconds=timeout_seconds, tls=reach.tls, token=reach.token
            )
        except (ValueError, OSError) as error:
            raise click.ClickException(str(error)) from error
        with client, warnings.catch_warnings():
            # Its pictures are on the right scale, and dark where they are.
            warnings.simplefilter("ignore", ScaleWarning)
            command(client, **others)

    return _ADDRESS(_TIMEOUT(with_reach(connected)))


def _read_token(file: Path) -> str:
    try:
        # What else looks like a space is no part of a token, and would only be seen as one.
        token = file.read_text("utf-8").strip(" \t\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"--token-file {file} can't be read: {error}") from error
    if (fault := fault_of_token(token)) is not None:
        raise click.ClickException(f"--token-file {file}: {fault}")
    return token
