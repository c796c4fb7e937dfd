"""Errors of the server, independent of gRPC and HTTP."""

from dataclasses import dataclass, field

from server.reasons.loads import LoadReason
from server.reasons.requests import RequestReason

INTERNAL_MESSAGE = "internal error; the server's log has the reason"


class StartupError(Exception):
    """The server can't start; the message is one line with the remedy."""


class ModelError(StartupError):
    """A model file can't be served; the message names the file and what is wrong with it."""

    def __init__(self, message: str, reason: LoadReason) -> None:
        super().__init__(message)
        self.reason = reason


class TakesLong(Exception):
    """Reading a valid message would occupy the thread for longer than it may."""


class Fault(Exception):
    """What is wrong with a model file, as the words that follow its name in a ModelError."""

    def __init__(self, message: str, reason: LoadReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(eq=False)
class RequestError(Exception):
    """A request that can't be answered; subclasses say whose fault it is."""

    reason: RequestReason
    message: str

    def __str__(self) -> str:
        return self.message


def reason_of(error: Exception) -> RequestReason:
    """Return the reason of an error that ends a call, `internal` for an unexpected one."""
    return error.reason if isinstance(error, RequestError) else "internal"


@dataclass(eq=False)
class InvalidField(RequestError):
    """A field of the request has an invalid value.

    Where some images of several are at fault, `refused` says which: `images`, their indices, such
    as 3,17-20, and `batch`, how many images the request has.
    """

    field: str
    refused: dict[str, str] | None = None


@dataclass(eq=False)
class NotLoaded(RequestError):
    """The request names a model or a version that is not loaded; `known` says which are."""

    known: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class NotReady(RequestError):
    """The server can't answer yet, or part of it does not; a retry may help."""


@dataclass(eq=False)
class WrongState(RequestError):
    """The server, its settings or its files must be changed before such a call can succeed."""


@dataclass(eq=False)
class Overloaded(RequestError):
    """The server has as many calls or images as it accepts; retry after `retry_seconds`."""

    retry_seconds: float = 0.1


@dataclass(eq=False)
class TooLarge(RequestError):
    """The message, or what would answer it, is larger than the server takes or sends: `size` bytes,
    where there may be `limit`; both 0 when bytes are not what there is too much of.
    """

    size: int = 0
    limit: int = 0


@dataclass(eq=False)
class Unauthenticated(RequestError):
    """The call has no token that the server knows."""


@dataclass(eq=False)
class Expired(RequestError):
    """The call's deadline passed before the model could run."""


@dataclass(eq=False)
class Cancelled(RequestError):
    """The caller cancelled the call before the model could run."""
