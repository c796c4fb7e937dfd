"""Kubernetes manifests, and what brings copies of other files in them up to date."""
