"""Spreads requests that name no version over several versions, as the settings say."""

import hashlib
import random
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, Self

from server.models.model import Model

ROUTE_KEY = "route-key"
"""Metadata of a call: calls with the same value go to the same version."""

_DIGEST_BYTES = 8


class Caller(Protocol):
    """The part of a call that decides its version."""

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value."""
        ...


@dataclass(frozen=True, slots=True)
class Split:
    """Versions, and where in [0, 1] the share of each ends."""

    models: Sequence[Model]
    ends: Sequence[float]

    @classmethod
    def from_weights(cls, weights: Mapping[Model, int]) -> Self | None:
        """Return the split with these weights; None when there are none."""
        total = sum(weights.values())
        ends = tuple(end / total for end in accumulate(weights.values()))
        return cls(tuple(weights), ends) if weights else None

    def choose(self, caller: Caller) -> Model:
        """Return the version for a call: by its route key, or else at random."""
        for key, value in caller.metadata:
            if key == ROUTE_KEY:
                return self._at(_point_of(value))
        return self._at(random.random())  # noqa: S311  # not a secret

    def _at(self, point: float) -> Model:
        return self.models[min(bisect_right(self.ends, point), len(self.models) - 1)]


@dataclass(frozen=True, slots=True)
class Shadowing:
    """A version that also runs a share of the requests that others answer."""

    model: Model
    share: float


def _point_of(key: str | bytes) -> float:
    """Return a number in [0, 1] that is the same for equal keys, on every server."""
    content = key.encode() if isinstance(key, str) else key
    digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest) / (1 << 8 * _DIGEST_BYTES)
