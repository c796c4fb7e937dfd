"""Puts images right before a network sees them: light ink on black, scaled and centred."""

from canonical.squares import NotSquare

__all__ = ["NotSquare"]
