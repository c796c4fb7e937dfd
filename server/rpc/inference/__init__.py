"""inference.GRPCInferenceService: the Open Inference Protocol, version 2, of KServe and Triton."""

from mlpserve.inference import open_inference_pb2 as protocol

SERVICE = protocol.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
FLOATS, BYTES, INTEGERS, TEXTS = "FP32", "UINT8", "INT64", "BYTES"
PLATFORM = "onnxruntime_onnx"
