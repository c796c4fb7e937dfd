"""Errors of the server, independent of gRPC and HTTP."""

from dataclasses import dataclass, field

REASONS = (
    *("answer_bytes", "batch_size", "both_forms", "both_versions", "byte_count", "cancelled"),
    *("datatype", "deadline", "description_bytes", "duplicate_output", "idle_stream", "inputs"),
    *("internal", "label_not_found", "load_failed", "message_bytes", "model_not_found"),
    *("model_unloaded", "no_message", "no_model_name"),
    *("no_pixels", "no_token", "not_a_request", "not_finite", "not_pixels", "not_ready"),
    *("not_square", "overflow", "parameter", "pixel_count", "pixel_range", "queue_full"),
    *("repository", "shape", "slow_message", "timeout", "too_many_calls", "too_many_fields"),
    *("too_many_streams", "too_many_unloaded", "too_many_watchers", "unanswered"),
    *("unknown_input", "unknown_output", "unknown_service", "unknown_token", "unread_answers"),
    *("version", "version_not_found", "watched", "without_canonicalize"),
)
"""Why requests are rejected: the reasons of all RequestErrors, and `internal` for other errors."""

LOAD_REASONS = (
    *("answers", "crashed", "external_data", "format", "golden_examples", "graph", "internal"),
    *("memory", "metadata", "not_a_file", "not_finite", "not_loadable", "operators", "signature"),
    *("too_large", "too_slow", "unreadable", "weights"),
)
"""Why versions are not loaded: the reasons of all ModelErrors."""


INTERNAL_MESSAGE = "internal error; the server's log has the reason"


class StartupError(Exception):
    """The server can't start; the message is one line with the remedy."""


class ModelError(StartupError):
    """A model file can't be served; the message names the file and what is wrong with it.

    `reason` is one of `LOAD_REASONS`, because it is a label of a metric.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class TakesLong(Exception):
    """Reading a valid message would occupy the thread for longer than it may."""


class Fault(Exception):
    """What is wrong with a model file, as the words that follow its name in a ModelError."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(eq=False)
class RequestError(Exception):
    """A request that can't be answered; subclasses say whose fault it is.

    `reason` is one of `REASONS`, because it is a label of a metric.
    """

    reason: str
    message: str

    def __str__(self) -> str:
        return self.message


def reason_of(error: Exception) -> str:
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
