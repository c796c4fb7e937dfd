"""Reads arrays of images from files, a block at a time; needs NumPy alone."""
