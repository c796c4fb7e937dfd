"""What the repository's folder holds: models, versions, and near misses."""
