"""The network in NumPy: layers, activations, the forward pass, and its weights file."""
