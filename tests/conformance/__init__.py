"""Checks whether a server keeps to the Open Inference Protocol: `python -m tests.conformance`."""
