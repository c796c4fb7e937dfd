"""ONNX Runtime, as the server uses it; nothing else imports it."""

import os

# Since 1.29 ONNX Runtime sends telemetry unless this is set before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime import InferenceSession, RunOptions

from server.errors import Fault

__all__ = ["VERSION", "InferenceSession", "RunOptions", "fault_of_run", "open_session"]

VERSION: str = onnxruntime.__version__

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")


def open_session(content: bytes) -> InferenceSession:
    """Open a session of one thread, since several spin and use up a container's quota.

    Raises Fault when the file can't be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        return InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exception classes have no common base class.
        words = " ".join(str(error).split())
        raise _memory_fault(error) or Fault(
            f"is not a model that ONNX Runtime can load: {words}", "not_loadable"
        ) from error


def fault_of_run(error: Exception, n_images: int) -> Fault:
    """Return what is wrong with a model that can't be run."""
    words = " ".join(str(error).split())
    return _memory_fault(error) or Fault(f"can't be run with {n_images} images: {words}", "answers")


def _memory_fault(error: Exception) -> Fault | None:
    if isinstance(error, MemoryError) or any(word in str(error) for word in _OUT_OF_MEMORY):
        return Fault("needs more memory than is available; raise the limit", "memory")
    return None
