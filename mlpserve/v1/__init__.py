"""Code that protoc generated from proto/mlpserve/v1: messages, and the stubs of the service."""
