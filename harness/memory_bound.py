"""What a server's memory may come to, whatever callers send: the sum in docs/deploying.md."""

from server.http.bodies import BODIES
from server.http.pictures.decoder import MAX_BYTES as PICTURE_BYTES
from server.running.shadowing import MAX_WAITING_BYTES
from server.system.memory import KEPT_BYTES, POOLS

MIB = 1024 * 1024
BOUNDS = (
    *("max_message_bytes", "max_arriving_messages", "max_queued_bytes", "max_http_body_bytes"),
)
"""The settings that it depends on, in the order of `server_bytes`."""

PARENTS_BYTES = 130 * MIB
"""What the parent and HTTP's process take, rounded up."""

DECODER_BYTES = 80 * MIB
"""What the process that decodes pictures takes beside a picture, rounded up."""

BODY_COPIES = 10
"""What a body becomes: numbers, a message, the answer and its JSON until it is read, in bodies."""

WORKER_BYTES = 110 * MIB
"""What a worker takes after many small calls, rounded up."""

COPIES = 3
"""What gRPC needs of the one message that it is just handing over, in messages."""


def messages_bytes(max_message: int, max_arriving: int, max_queued: int) -> int:
    """Return what messages to and from a worker may take, and what they leave behind."""
    # Those that took too long have their places no more, but may be there all the same.
    arriving = (2 * max_arriving + COPIES) * 2 * max_message
    unread = max_queued // 2
    return arriving + max_queued + unread + MAX_WAITING_BYTES + POOLS * KEPT_BYTES


def http_bytes(max_http_body: int) -> int:
    """Return what HTTP's requests may take: their bodies, and one picture."""
    return BODIES * BODY_COPIES * max_http_body + DECODER_BYTES + PICTURE_BYTES


def server_bytes(
    workers: int, max_message: int, max_arriving: int, max_queued: int, max_http_body: int
) -> int:
    """Return what all processes of a server may take together."""
    messages = messages_bytes(max_message, max_arriving, max_queued)
    return PARENTS_BYTES + http_bytes(max_http_body) + workers * (WORKER_BYTES + messages)
