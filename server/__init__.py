"""The gRPC server: loads a model from the repository, answers Predict, and reports its latency."""
