"""Bytes on the wire: compressed or not, and JSON."""
