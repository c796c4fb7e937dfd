"""Which images of a request the server refuses, as its error says it to programs."""

from collections.abc import Iterator

import grpc

from mlpserve.errors import details_of

IMAGES, BATCH = "images", "batch"
"""What a server tells in `google.rpc.ErrorInfo`: the indices of the images that it refuses, such as
3,17-20, and how many images the request has.
"""


def find_refused(error: grpc.RpcError, n_members: int) -> frozenset[int]:
    """Return the places of the calls whose images the server refuses; none where it tells none."""
    told = details_of(error).metadata
    try:
        n_images = int(told[BATCH])
        share, rest = divmod(n_images, n_members)
        if rest or not share:
            return frozenset()
        return frozenset(index // share for index in _read_indices(told[IMAGES], n_images))
    except (KeyError, ValueError):
        return frozenset()


def _read_indices(text: str, n_images: int) -> Iterator[int]:
    """Yield the indices that a text lists; raises ValueError when it is no such list."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = int(first), int(last or first)
        if not 0 <= begin <= end < n_images:
            raise ValueError(part)
        yield from range(begin, end + 1)
