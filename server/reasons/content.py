"""Why a request is refused for what it says, by whoever and whenever it is sent."""

from collections.abc import Mapping
from typing import Literal

from server.reasons.reason import Reason

ContentReason = Literal[
    "answer_bytes",
    "batch_size",
    "both_forms",
    "both_versions",
    "byte_count",
    "datatype",
    "description_bytes",
    "duplicate_output",
    "inputs",
    "label_not_found",
    "message_bytes",
    "model_not_found",
    "model_unloaded",
    "no_model_name",
    "no_pixels",
    "not_a_request",
    "not_finite",
    "not_pixels",
    "not_square",
    "overflow",
    "parameter",
    "pixel_count",
    "pixel_range",
    "repository",
    "shape",
    "too_many_fields",
    "unknown_input",
    "unknown_output",
    "unknown_service",
    "version",
    "version_not_found",
    "without_canonicalize",
]

_INVALID, _NOT_FOUND = "INVALID_ARGUMENT", "NOT_FOUND"
_TOO_LARGE = "RESOURCE_EXHAUSTED"

CONTENT: Mapping[ContentReason, Reason] = {
    "answer_bytes": Reason(
        "the answer would be larger than a message may be",
        _TOO_LARGE,
        "send fewer images in one call, or ask for fewer outputs, such as no hidden activations",
        "raise `--max-message-bytes`",
    ),
    "batch_size": Reason(
        "one call has more images than `--max-batch-size`",
        _INVALID,
        "send several calls; `Client.predict` does so by itself for large inputs",
        "raise `--max-batch-size`",
    ),
    "both_forms": Reason(
        "the pixels are there twice, in two forms, such as `pixels` and `pixels_u8`",
        _INVALID,
        "send one of the two",
    ),
    "both_versions": Reason(
        "the request has both a version and a label", _INVALID, "send one of the two"
    ),
    "byte_count": Reason(
        "a tensor has more or fewer bytes than its shape and datatype say",
        _INVALID,
        "make `shape` and `datatype` those of the array that is sent; send many UINT8 values in "
        "`raw_input_contents`",
    ),
    "datatype": Reason(
        "a tensor is neither FP32 nor UINT8, or its values are in the field of another datatype",
        _INVALID,
        "convert the values to float32 and send them as FP32",
    ),
    "description_bytes": Reason(
        "names, shape and parameters are longer than the server reads",
        _INVALID,
        "send shorter names and ids, and only the parameters that the server knows",
    ),
    "duplicate_output": Reason(
        "the same output is asked for more than once", _INVALID, "name each output once"
    ),
    "inputs": Reason(
        "the request has no tensor, or several", _INVALID, "send one tensor, called `pixels`"
    ),
    "label_not_found": Reason(
        "the model has no version of this label",
        _NOT_FOUND,
        "ask for one of the labels that the message lists, or for a version",
        "set the label with `--labels`",
    ),
    "message_bytes": Reason(
        "the message is larger than the server takes: `--max-message-bytes` for predictions, "
        "256 KiB for methods that hold a few names",
        _TOO_LARGE,
        "send fewer images in one call, or uint8, which is a quarter of the bytes",
        "raise `--max-message-bytes`",
    ),
    "model_not_found": Reason(
        "no model of this name is loaded, or no model is named and there is no default",
        _NOT_FOUND,
        "name one of the models that the message lists",
        "look for `model not loaded` in the log; set `--default-model` for calls without a name",
    ),
    "model_unloaded": Reason(
        "the model was unloaded by RepositoryModelUnload",
        _NOT_FOUND,
        "name another model",
        "load it with RepositoryModelLoad",
    ),
    "no_model_name": Reason(
        "RepositoryModelLoad or RepositoryModelUnload names no model",
        _INVALID,
        "set `model_name`",
    ),
    "no_pixels": Reason("the batch is empty", _INVALID, "send at least one image"),
    "not_a_request": Reason(
        "the message is not the Protobuf message that the method takes",
        _INVALID,
        "generate the client from the files in `proto/`, and call the method with its own request",
    ),
    "not_finite": Reason(
        "a pixel is NaN or infinite",
        _INVALID,
        "look at the image that the message names; dividing by zero gives NaN",
    ),
    "not_pixels": Reason(
        "uint8 or `canonicalize`, which are for pixels, are sent to a model of other numbers",
        _INVALID,
        "send float32, without `canonicalize`",
    ),
    "not_square": Reason(
        "`canonicalize` is for square images, and the model's are not square",
        _INVALID,
        "ask without `canonicalize`",
    ),
    "overflow": Reason(
        "the numbers are in the model's input range, but so large that its activations overflow",
        _INVALID,
        "send numbers in the range that the network was trained on",
    ),
    "parameter": Reason(
        "a parameter is unknown, has a value that it can't have, or contradicts another",
        _INVALID,
        "correct or leave out the parameter that the message names",
    ),
    "pixel_count": Reason(
        "the number of pixels is not a multiple of the pixels of one of the model's images",
        _INVALID,
        "make the images as large as the model's, 784 pixels for 28 x 28, and grey: a colour image "
        "has three times as many",
    ),
    "pixel_range": Reason(
        "a pixel is outside the model's input range, [0, 1] for images",
        _INVALID,
        "scale the numbers as the message says: divide 0 to 255 by 255, or send them as uint8",
    ),
    "repository": Reason(
        "the request names a repository, and there is only one, without a name",
        _INVALID,
        "leave `repository_name` empty",
    ),
    "shape": Reason(
        "the shape of a tensor is not that of the model's images",
        _INVALID,
        "send (N, pixels) or (N, rows, columns)",
    ),
    "too_many_fields": Reason(
        "the message is in more pieces than the server reads, such as pixels one by one",
        _INVALID,
        "send the pixels packed, in one piece, as Protobuf's libraries do",
    ),
    "unknown_input": Reason(
        "the tensor has another name than the model's input", _INVALID, "call it `pixels`"
    ),
    "unknown_output": Reason(
        "the model has no output of this name",
        _INVALID,
        "ask for outputs that the message lists",
    ),
    "unknown_service": Reason(
        "a health check names a service that the server doesn't have",
        _NOT_FOUND,
        "ask for a service that the message lists, or for none",
    ),
    "version": Reason(
        "what is given as a version is neither a number nor a label, or has no model beside it",
        _INVALID,
        "send 1, 2, 3, ..., a label, or nothing for the newest version",
    ),
    "version_not_found": Reason(
        "this version of the model is not loaded",
        _NOT_FOUND,
        "ask for a version that the message lists, or for 0, the newest",
        "look for `model not loaded` in the log; `--versions` chooses which versions are served",
    ),
    "without_canonicalize": Reason(
        "`canonical_pixels` is asked for without `canonicalize`",
        _INVALID,
        "set `canonicalize` too, or neither",
    ),
}
