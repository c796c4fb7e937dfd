"""What is sent for a group of calls."""

from collections.abc import Callable

from mlpserve.connection.settings import Metadata, Settings
from mlpserve.joining.queues import Group, W
from mlpserve.joining.request_ids import add_request_ids
from mlpserve.prediction import Prediction
from mlpserve.protocol.predict import encode_joined

Read = Callable[[bytes], Prediction]
"""Reads an answer; raises InvalidResponse."""


def write(group: Group[W], settings: Settings) -> tuple[bytes, Metadata | None]:
    """Return the request and the metadata of a group."""
    head, kind, _ = group.key
    request = encode_joined(head, kind, [member.content for member in group.members])
    request_ids = [member.request_id for member in group.members]
    return request, add_request_ids(settings.metadata, request_ids)
