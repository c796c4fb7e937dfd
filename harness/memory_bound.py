"""What a server's memory may come to, whatever callers send: the sum in docs/deploying.md."""

from server.running.shadowing import MAX_WAITING_BYTES
from server.system.memory import KEPT_BYTES, POOLS

MIB = 1024 * 1024
PARENTS_BYTES = 100 * MIB
"""What the parent and HTTP's process take, rounded up."""

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


def server_bytes(workers: int, max_message: int, max_arriving: int, max_queued: int) -> int:
    """Return what all processes of a server may take together."""
    messages = messages_bytes(max_message, max_arriving, max_queued)
    return PARENTS_BYTES + workers * (WORKER_BYTES + messages)
