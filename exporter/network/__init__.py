"""The network in NumPy: layers, activations, the forward pass, and its weights file."""

from exporter.network.network import Layer, Network, NetworkError
from exporter.network.weights_file import Saved, WeightsError, load, save

__all__ = ["Layer", "Network", "NetworkError", "Saved", "WeightsError", "load", "save"]
