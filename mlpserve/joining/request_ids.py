"""The ids by which callers find their calls in the server's log."""

from collections.abc import Iterable

from mlpserve.connection.settings import Metadata

REQUEST_ID = "x-request-id"
"""The metadata that carries them; the server's answer has them too."""

MAX_CHARACTERS = 128
MAX_JOINED_CHARACTERS = 2048
"""What the ids of a request may have together, with the commas between them: the server takes
8 KiB of metadata, and tokens may be long.
"""


def check_request_id(request_id: object) -> None:
    """Raise TypeError or ValueError when an id can't be sent."""
    if not isinstance(request_id, str):
        raise TypeError(f"request_id is {request_id!r:.100}; give a string, such as 'a7f3'")
    if not 0 < len(request_id) <= MAX_CHARACTERS:
        raise ValueError(
            f"request_id has {len(request_id)} characters; give from 1 to {MAX_CHARACTERS}"
        )
    if not (request_id.isascii() and request_id.isprintable()) or request_id.strip() != request_id:
        raise ValueError(
            f"request_id is {request_id!r:.200}; give printable ASCII characters, without a space "
            "at its beginning or end"
        )


def add_request_ids(
    metadata: Metadata | None, request_ids: Iterable[str | None]
) -> Metadata | None:
    """Return a call's metadata with the ids that it has, joined by commas."""
    joined = ",".join([request_id for request_id in request_ids if request_id])
    return (*(metadata or ()), (REQUEST_ID, joined)) if joined else metadata
