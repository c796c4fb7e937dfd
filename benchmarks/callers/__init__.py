"""Callers whose cost is measured, each kind a process of its own."""
