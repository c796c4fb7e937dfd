"""Settings: where values come from, how they are read and checked."""
