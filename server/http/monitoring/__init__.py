"""What watches the server: metrics for Prometheus, and health for probes without gRPC."""
