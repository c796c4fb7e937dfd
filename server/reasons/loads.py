"""Why a version of a model is not loaded: the reasons of all ModelErrors."""

from collections.abc import Mapping
from typing import Literal

from server.reasons.reason import Reason

LoadReason = Literal[
    "answers",
    "crashed",
    "external_data",
    "format",
    "golden_examples",
    "graph",
    "internal",
    "memory",
    "metadata",
    "not_a_file",
    "not_finite",
    "not_loadable",
    "operators",
    "signature",
    "too_large",
    "too_slow",
    "unreadable",
    "weights",
]

_EXPORT = "export the network again with `.venv/bin/python -m exporter export`"

LOADS: Mapping[LoadReason, Reason] = {
    "answers": Reason(
        "ONNX Runtime can't run the model, or its answers depend on the size of the batch or are "
        "not those of its weights",
        operator=_EXPORT,
    ),
    "crashed": Reason(
        "a worker died while it loaded the file, usually for lack of memory",
        operator="give the server more memory, then change the file, send SIGHUP, or call "
        "`Admin/Reload`: until then it is not tried again",
    ),
    "external_data": Reason(
        "the weights are in another file", operator=f"{_EXPORT}: a model is one file"
    ),
    "format": Reason(
        "the file was not written by mlpserve's exporter, or by one of another format",
        operator="make it with `.venv/bin/python -m exporter import`, or export it again",
    ),
    "golden_examples": Reason(
        "the file's golden examples are missing, or the model's answers to them differ from those "
        "in the file: the weights were changed or damaged after the export, or this ONNX Runtime "
        "computes something else",
        operator=f"check it with `.venv/bin/python -m exporter inspect FILE`; {_EXPORT}",
    ),
    "graph": Reason(
        "the network in the file is not as the exporter writes it: layers, weights or attributes",
        operator=_EXPORT,
    ),
    "internal": Reason(
        "the server made a mistake while it loaded the file",
        operator="read the traceback in the log, `loading failed`",
    ),
    "memory": Reason(
        "the model needs more memory than is available: about three times the size of its file, "
        "beside what is served",
        operator="raise the memory limit, serve fewer versions, or export a smaller network",
    ),
    "metadata": Reason("the file's metadata is incomplete or contradicts itself", operator=_EXPORT),
    "not_a_file": Reason(
        "there is a folder, a pipe or a device in the place of `model.onnx`",
        operator="put the model's file there",
    ),
    "not_finite": Reason(
        "weights or activations are NaN or infinite",
        operator="train the network again, with a smaller learning rate; then export it",
    ),
    "not_loadable": Reason(
        "the file is not an ONNX model, or is damaged",
        operator=f"copy it again, into a folder beside it which you then rename; or {_EXPORT}",
    ),
    "operators": Reason(
        "the model has operators other than those of a multilayer perceptron", operator=_EXPORT
    ),
    "signature": Reason(
        "inputs or outputs are not those that the metadata says, or there are others beside them",
        operator=_EXPORT,
    ),
    "too_large": Reason(
        "the file, its metadata or a layer is larger than the server loads",
        operator="raise `--max-model-bytes` if there is memory for it, or export a smaller network",
    ),
    "too_slow": Reason(
        "checking the model took longer than it may",
        operator="export a smaller network, or give the server more processor time",
    ),
    "unreadable": Reason(
        "the file can't be read, or changed while it was read",
        operator="correct its permissions; write versions into a folder beside the repository's, "
        "and rename that",
    ),
    "weights": Reason(
        "the weights are not those whose SHA-256 the metadata has: the file was damaged, or "
        "changed by hand",
        operator=_EXPORT,
    ),
}
