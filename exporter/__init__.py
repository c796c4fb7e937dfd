"""Weights in, ONNX out: trains, evaluates and exports networks; knows nothing of serving."""
