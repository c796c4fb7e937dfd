"""Everything that can be set: where values come from, how they are read, and what they must be."""
