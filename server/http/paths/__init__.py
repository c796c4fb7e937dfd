"""Paths: whose they are, and what they name."""
