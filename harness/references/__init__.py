"""Servers to compare with: what gRPC itself costs, and what others reach."""
