"""HTTP only: /metrics for Prometheus, and health for whoever can't speak gRPC."""
