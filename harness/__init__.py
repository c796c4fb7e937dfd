"""Starts servers, calls, loads and scrapes them, and waits: for tests and benchmarks alike."""
