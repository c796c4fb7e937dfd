"""Writes what became of images, in several formats."""
