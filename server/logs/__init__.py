"""Structured logs on standard error; logging never blocks or fails."""
