"""The processes: a parent that starts and watches the others, workers that answer gRPC, and one
that answers HTTP.

The parent holds the ports and takes no connection from anybody. It imports neither ONNX Runtime,
grpc nor uvicorn, so that it has little that could break.
"""
