"""The parameters of ModelInferRequests: what is known is honoured or refused, the rest ignored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import InvalidField
from server.texts import quoted

CANONICALIZE, TIMEOUT, PRIORITY = "canonicalize", "timeout", "priority"
ALL_RAW, RAW = "binary_data_output", "binary_data"
CLASSES = "classification"
ASK_FINAL, FINAL = "triton_enable_empty_final_response", "triton_final_response"

_RESERVED = "triton_"
_SHARED_MEMORY = "shared_memory_"
_SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
_MICROSECONDS = 1e-6

Parameters = Mapping[str, protocol.InferParameter]


@dataclass(frozen=True, slots=True)
class Options:
    """What a request asks for besides its outputs; `raw` is None where it leaves that open.

    A run that does not begin within `timeout_seconds` is to be none. `marks_final` says whether the
    response is to say that no other follows.
    """

    canonicalize: bool
    timeout_seconds: float
    raw: bool | None
    marks_final: bool


def read_options(parameters: Parameters) -> Options:
    """Return what the parameters of a request ask for; raises InvalidField."""
    for name in parameters:
        if name.startswith(_RESERVED) and name != ASK_FINAL:
            raise _refused(name, f"names that begin with {_RESERVED} are reserved; leave it out")
    for name in _SEQUENCES:
        if name in parameters and _value(parameters[name]):
            raise _refused(name, "models keep nothing between requests; leave it out")
    if _integer(parameters, PRIORITY):
        raise _refused(PRIORITY, "all requests have the same priority, 0; leave it out")
    timeout = _integer(parameters, TIMEOUT)
    return Options(
        canonicalize=_flag(parameters, CANONICALIZE) or False,
        timeout_seconds=timeout * _MICROSECONDS if timeout else math.inf,
        raw=_flag(parameters, ALL_RAW),
        marks_final=_flag(parameters, ASK_FINAL) or False,
    )


def read_class_count(parameters: Parameters, output: str) -> int:
    """Return how many of an output's largest values are wanted, 0 for all of them, as numbers.

    Raises InvalidField.
    """
    check_memory(parameters, f"outputs: {output}")
    return _integer(parameters, CLASSES, f"outputs: {output}: ")


def read_raw(parameters: Parameters, output: str) -> bool | None:
    """Return whether an output is wanted as raw bytes, None where that is left open."""
    return _flag(parameters, RAW, f"outputs: {output}: ")


def check_memory(parameters: Parameters, tensor: str) -> None:
    """Raise InvalidField when a tensor is to be passed through shared memory."""
    for name in parameters:
        if name.startswith(_SHARED_MEMORY):
            raise _refused(
                name,
                "the server has no shared memory; send the values in the message",
                f"{tensor}: ",
            )


def _flag(parameters: Parameters, name: str, where: str = "") -> bool | None:
    if name not in parameters:
        return None
    value = parameters[name]
    if value.WhichOneof("parameter_choice") != "bool_param":
        raise _refused(
            name, f"it is {_shown(value)}, which is not true or false; send a bool_param", where
        )
    return bool(value.bool_param)


def _integer(parameters: Parameters, name: str, where: str = "") -> int:
    if name not in parameters:
        return 0
    value = parameters[name]
    number = _value(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise _refused(
            name,
            f"it is {_shown(value)}, which is not an integer; send an int64_param or uint64_param",
            where,
        )
    if number < 0:
        raise _refused(name, f"it is {number}, wanted 0 or more", where)
    return number


def _value(parameter: protocol.InferParameter) -> bool | int | float | str | None:
    choice = parameter.WhichOneof("parameter_choice")
    value: bool | int | float | str | None = getattr(parameter, choice) if choice else None
    return value


def _shown(parameter: protocol.InferParameter) -> str:
    value = _value(parameter)
    return quoted(value) if isinstance(value, str) else str(value)


def _refused(name: str, why: str, where: str = "") -> InvalidField:
    return InvalidField("parameter", f"parameters: {where}{quoted(name)}: {why}", "parameters")
