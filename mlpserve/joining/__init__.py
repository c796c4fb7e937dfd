"""Joins calls that are made at the same time into one request, and divides its answer."""
