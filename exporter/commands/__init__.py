"""What `python -m exporter` can do: a module for each command."""
