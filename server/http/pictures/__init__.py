"""PNG and JPEG files as images for a model, decoded in a process of their own."""
