from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PredictRequest(_message.Message):
    __slots__ = ("model", "version", "pixels", "pixels_u8", "hidden_activations", "canonicalize", "label", "canonical_pixels")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    PIXELS_U8_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    CANONICALIZE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_PIXELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    pixels: _containers.RepeatedScalarFieldContainer[float]
    pixels_u8: bytes
    hidden_activations: bool
    canonicalize: bool
    label: str
    canonical_pixels: bool
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., pixels: _Optional[_Iterable[float]] = ..., pixels_u8: _Optional[bytes] = ..., hidden_activations: bool = ..., canonicalize: bool = ..., label: _Optional[str] = ..., canonical_pixels: bool = ...) -> None: ...

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
    __slots__ = ("inverted", "scales", "shifts", "pixels")
    INVERTED_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    SHIFTS_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    inverted: _containers.RepeatedScalarFieldContainer[bool]
    scales: _containers.RepeatedScalarFieldContainer[float]
    shifts: _containers.RepeatedScalarFieldContainer[float]
    pixels: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, inverted: _Optional[_Iterable[bool]] = ..., scales: _Optional[_Iterable[float]] = ..., shifts: _Optional[_Iterable[float]] = ..., pixels: _Optional[_Iterable[float]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "default_model")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    default_model: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., default_model: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "versions", "default_version", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    default_version: int
    labels: _containers.ScalarMap[str, int]
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ..., default_version: _Optional[int] = ..., labels: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ModelVersion(_message.Message):
    __slots__ = ("version", "state", "error", "layer_sizes", "label_names", "weights_sha256", "input_range", "image_layout")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[ModelVersion.State]
        STATE_LOADED: _ClassVar[ModelVersion.State]
        STATE_FAILED: _ClassVar[ModelVersion.State]
    STATE_UNSPECIFIED: ModelVersion.State
    STATE_LOADED: ModelVersion.State
    STATE_FAILED: ModelVersion.State
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LAYER_SIZES_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAMES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    INPUT_RANGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    version: int
    state: ModelVersion.State
    error: str
    layer_sizes: _containers.RepeatedScalarFieldContainer[int]
    label_names: _containers.RepeatedScalarFieldContainer[str]
    weights_sha256: str
    input_range: str
    image_layout: ImageLayout
    def __init__(self, version: _Optional[int] = ..., state: _Optional[_Union[ModelVersion.State, str]] = ..., error: _Optional[str] = ..., layer_sizes: _Optional[_Iterable[int]] = ..., label_names: _Optional[_Iterable[str]] = ..., weights_sha256: _Optional[str] = ..., input_range: _Optional[str] = ..., image_layout: _Optional[_Union[ImageLayout, _Mapping]] = ...) -> None: ...

class ImageLayout(_message.Message):
    __slots__ = ("rows", "columns", "ink", "longest_side", "centring", "centre_down", "centre_right", "flattest")
    class Ink(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INK_UNSPECIFIED: _ClassVar[ImageLayout.Ink]
        INK_LIGHT: _ClassVar[ImageLayout.Ink]
        INK_DARK: _ClassVar[ImageLayout.Ink]
    INK_UNSPECIFIED: ImageLayout.Ink
    INK_LIGHT: ImageLayout.Ink
    INK_DARK: ImageLayout.Ink
    class Centring(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CENTRING_UNSPECIFIED: _ClassVar[ImageLayout.Centring]
        CENTRING_MASS: _ClassVar[ImageLayout.Centring]
        CENTRING_BOX: _ClassVar[ImageLayout.Centring]
    CENTRING_UNSPECIFIED: ImageLayout.Centring
    CENTRING_MASS: ImageLayout.Centring
    CENTRING_BOX: ImageLayout.Centring
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    INK_FIELD_NUMBER: _ClassVar[int]
    LONGEST_SIDE_FIELD_NUMBER: _ClassVar[int]
    CENTRING_FIELD_NUMBER: _ClassVar[int]
    CENTRE_DOWN_FIELD_NUMBER: _ClassVar[int]
    CENTRE_RIGHT_FIELD_NUMBER: _ClassVar[int]
    FLATTEST_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    ink: ImageLayout.Ink
    longest_side: float
    centring: ImageLayout.Centring
    centre_down: float
    centre_right: float
    flattest: float
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., ink: _Optional[_Union[ImageLayout.Ink, str]] = ..., longest_side: _Optional[float] = ..., centring: _Optional[_Union[ImageLayout.Centring, str]] = ..., centre_down: _Optional[float] = ..., centre_right: _Optional[float] = ..., flattest: _Optional[float] = ...) -> None: ...

class GetNetworkRequest(_message.Message):
    __slots__ = ("model", "version", "label")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    label: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., label: _Optional[str] = ...) -> None: ...

class GetNetworkResponse(_message.Message):
    __slots__ = ("model", "version", "layers", "label_names", "input_range", "image_layout")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_RANGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_LAYOUT_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    label_names: _containers.RepeatedScalarFieldContainer[str]
    input_range: str
    image_layout: ImageLayout
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ..., label_names: _Optional[_Iterable[str]] = ..., input_range: _Optional[str] = ..., image_layout: _Optional[_Union[ImageLayout, _Mapping]] = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("inputs", "neurons", "weights", "biases", "activation")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    inputs: int
    neurons: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    biases: _containers.RepeatedScalarFieldContainer[float]
    activation: str
    def __init__(self, inputs: _Optional[int] = ..., neurons: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ..., biases: _Optional[_Iterable[float]] = ..., activation: _Optional[str] = ...) -> None: ...
