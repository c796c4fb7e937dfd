"""Sends calls at their times, from processes of its own, and counts what comes of each."""
