"""HTTP, in a process of its own: /metrics for Prometheus, and health for whoever can't speak gRPC.

It can be killed, stopped or starved without a prediction that notices.
"""
