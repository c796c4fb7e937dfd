"""Sends inputs that are too large for one call in parts, several in flight, answered in order."""
