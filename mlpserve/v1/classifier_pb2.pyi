from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PredictRequest(_message.Message):
    __slots__ = ("model", "version", "pixels", "pixels_u8", "hidden_activations", "canonicalize")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    PIXELS_U8_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    CANONICALIZE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    pixels: _containers.RepeatedScalarFieldContainer[float]
    pixels_u8: bytes
    hidden_activations: bool
    canonicalize: bool
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., pixels: _Optional[_Iterable[float]] = ..., pixels_u8: _Optional[bytes] = ..., hidden_activations: bool = ..., canonicalize: bool = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("model", "version", "labels", "label_names", "activations", "hidden_layers", "canonicalization")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAMES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_LAYERS_FIELD_NUMBER: _ClassVar[int]
    CANONICALIZATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    labels: _containers.RepeatedScalarFieldContainer[int]
    label_names: _containers.RepeatedScalarFieldContainer[str]
    activations: _containers.RepeatedScalarFieldContainer[float]
    hidden_layers: _containers.RepeatedCompositeFieldContainer[LayerActivations]
    canonicalization: Canonicalization
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., labels: _Optional[_Iterable[int]] = ..., label_names: _Optional[_Iterable[str]] = ..., activations: _Optional[_Iterable[float]] = ..., hidden_layers: _Optional[_Iterable[_Union[LayerActivations, _Mapping]]] = ..., canonicalization: _Optional[_Union[Canonicalization, _Mapping]] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: PredictResponse
    error: _any_pb2.Any
    def __init__(self, response: _Optional[_Union[PredictResponse, _Mapping]] = ..., error: _Optional[_Union[_any_pb2.Any, _Mapping]] = ...) -> None: ...

class LayerActivations(_message.Message):
    __slots__ = ("neurons", "activations")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    activations: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, neurons: _Optional[int] = ..., activations: _Optional[_Iterable[float]] = ...) -> None: ...

class Canonicalization(_message.Message):
    __slots__ = ("inverted", "scales", "shifts")
    INVERTED_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    SHIFTS_FIELD_NUMBER: _ClassVar[int]
    inverted: _containers.RepeatedScalarFieldContainer[bool]
    scales: _containers.RepeatedScalarFieldContainer[float]
    shifts: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, inverted: _Optional[_Iterable[bool]] = ..., scales: _Optional[_Iterable[float]] = ..., shifts: _Optional[_Iterable[float]] = ...) -> None: ...
