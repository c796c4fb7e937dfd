"""Connections: their bounds, their TLS, and who is at the other end."""
