"""The processes: a parent that starts and watches the others, workers that answer gRPC, and one
that answers HTTP.

The parent holds the ports but accepts no connections. It imports neither ONNX Runtime, grpc nor
uvicorn, so that little in it can break.
"""
