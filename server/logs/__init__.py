"""Structured logs on standard error, which no line can stop or slow down."""
