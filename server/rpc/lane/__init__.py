"""Unary calls on one thread, which drains a completion queue of gRPC's core."""
