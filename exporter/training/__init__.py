"""Trains networks on MNIST, in NumPy."""
