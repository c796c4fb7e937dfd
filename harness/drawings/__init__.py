"""Digits drawn as people draw them on the page, from the ways of the pen, with the page's brush."""
