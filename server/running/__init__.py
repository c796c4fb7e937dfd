"""One request's way to its answer: what callers ask, how it waits, and how it is run."""
