"""Normalises images before a network sees them: light ink on black, scaled and centred."""

from canonical.canonicalization import Canonical, canonicalize
from canonical.squares import NotSquare

__all__ = ["Canonical", "NotSquare", "canonicalize"]
