"""The processes: a parent that holds the ports and answers HTTP, and workers that answer gRPC.

The parent imports neither ONNX Runtime nor grpc, so that it has little that could break.
"""
