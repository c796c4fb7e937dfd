"""From a network to a model in a repository."""
