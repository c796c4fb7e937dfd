"""Looks inside a network: what its neurons respond to, and whether they are edges and loops."""
