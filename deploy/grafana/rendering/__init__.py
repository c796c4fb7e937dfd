"""Draws the dashboards as pictures, from what a Prometheus answers."""
