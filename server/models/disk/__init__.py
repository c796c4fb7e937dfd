"""What the repository's folder holds: models, versions, and what is almost one."""
