"""Sends what is too much for one call in parts, several in flight, answered in order."""
