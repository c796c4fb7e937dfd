"""HTTP, in a process of its own: /metrics for Prometheus, and health for those without gRPC.

It can be killed, stopped or starved without any effect on predictions.
"""
