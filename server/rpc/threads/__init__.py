"""Calls of gRPC's ordinary server, each on a thread."""
