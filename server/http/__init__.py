"""HTTP, in a process of its own: metrics, health, the APIs and the page.

It calls the gRPC port as any caller does, and can be killed, stopped or starved without any effect
on predictions.
"""
