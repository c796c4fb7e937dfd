"""Measured claims: each figure in the documents has a command here that prints it again."""
