"""Draws a network looking at an image, as SVG."""

from exporter.study.drawing.svg import draw_network

__all__ = ["draw_network"]
