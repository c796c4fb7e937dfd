"""A container engine of the tests' own, and the images that it runs."""
