"""The models: on disk, in memory, which of them are served, and under which versions."""
