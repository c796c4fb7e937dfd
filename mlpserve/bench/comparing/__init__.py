"""Tells the differences between two results from chance."""
