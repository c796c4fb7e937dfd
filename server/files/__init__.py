"""Files that are read again when they change: tokens and certificates."""
