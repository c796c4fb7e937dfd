"""Calls of the gRPC port: whom to expect there, and what its errors mean in HTTP."""
