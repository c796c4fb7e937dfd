"""Reads a server's page of metrics."""
