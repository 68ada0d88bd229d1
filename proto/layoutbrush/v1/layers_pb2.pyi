from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LayerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAYER_KIND_UNSPECIFIED: _ClassVar[LayerKind]
    LAYER_KIND_PHOTO: _ClassVar[LayerKind]
    LAYER_KIND_LABEL_MAP: _ClassVar[LayerKind]
    LAYER_KIND_EDITED_LABEL_MAP: _ClassVar[LayerKind]
    LAYER_KIND_MASK: _ClassVar[LayerKind]
    LAYER_KIND_EXCLUDE: _ClassVar[LayerKind]
    LAYER_KIND_REFERENCE_PHOTO: _ClassVar[LayerKind]
    LAYER_KIND_REFERENCE_LABEL_MAP: _ClassVar[LayerKind]

class ChannelOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_ORDER_UNSPECIFIED: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_GRAY: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_GRAY_ALPHA: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_RGB: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_RGBA: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_BGR: _ClassVar[ChannelOrder]
    CHANNEL_ORDER_BGRA: _ClassVar[ChannelOrder]

class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_TYPE_UNSPECIFIED: _ClassVar[DataType]
    DATA_TYPE_UINT8: _ClassVar[DataType]
    DATA_TYPE_UINT16: _ClassVar[DataType]
    DATA_TYPE_UINT16_TO_32768: _ClassVar[DataType]
    DATA_TYPE_FLOAT16: _ClassVar[DataType]
    DATA_TYPE_FLOAT32: _ClassVar[DataType]

class PlaneOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLANE_ORDER_UNSPECIFIED: _ClassVar[PlaneOrder]
    PLANE_ORDER_INTERLEAVED: _ClassVar[PlaneOrder]
    PLANE_ORDER_PLANAR: _ClassVar[PlaneOrder]

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    ENCODING_RAW: _ClassVar[Encoding]
    ENCODING_PNG: _ClassVar[Encoding]
    ENCODING_JPEG: _ClassVar[Encoding]
LAYER_KIND_UNSPECIFIED: LayerKind
LAYER_KIND_PHOTO: LayerKind
LAYER_KIND_LABEL_MAP: LayerKind
LAYER_KIND_EDITED_LABEL_MAP: LayerKind
LAYER_KIND_MASK: LayerKind
LAYER_KIND_EXCLUDE: LayerKind
LAYER_KIND_REFERENCE_PHOTO: LayerKind
LAYER_KIND_REFERENCE_LABEL_MAP: LayerKind
CHANNEL_ORDER_UNSPECIFIED: ChannelOrder
CHANNEL_ORDER_GRAY: ChannelOrder
CHANNEL_ORDER_GRAY_ALPHA: ChannelOrder
CHANNEL_ORDER_RGB: ChannelOrder
CHANNEL_ORDER_RGBA: ChannelOrder
CHANNEL_ORDER_BGR: ChannelOrder
CHANNEL_ORDER_BGRA: ChannelOrder
DATA_TYPE_UNSPECIFIED: DataType
DATA_TYPE_UINT8: DataType
DATA_TYPE_UINT16: DataType
DATA_TYPE_UINT16_TO_32768: DataType
DATA_TYPE_FLOAT16: DataType
DATA_TYPE_FLOAT32: DataType
PLANE_ORDER_UNSPECIFIED: PlaneOrder
PLANE_ORDER_INTERLEAVED: PlaneOrder
PLANE_ORDER_PLANAR: PlaneOrder
ENCODING_UNSPECIFIED: Encoding
ENCODING_RAW: Encoding
ENCODING_PNG: Encoding
ENCODING_JPEG: Encoding

class Extent(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Bounds(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    width: int
    height: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class PixelFormat(_message.Message):
    __slots__ = ("channel_order", "data_type", "plane_order", "row_stride")
    CHANNEL_ORDER_FIELD_NUMBER: _ClassVar[int]
    DATA_TYPE_FIELD_NUMBER: _ClassVar[int]
    PLANE_ORDER_FIELD_NUMBER: _ClassVar[int]
    ROW_STRIDE_FIELD_NUMBER: _ClassVar[int]
    channel_order: ChannelOrder
    data_type: DataType
    plane_order: PlaneOrder
    row_stride: int
    def __init__(self, channel_order: _Optional[_Union[ChannelOrder, str]] = ..., data_type: _Optional[_Union[DataType, str]] = ..., plane_order: _Optional[_Union[PlaneOrder, str]] = ..., row_stride: _Optional[int] = ...) -> None: ...

class Layer(_message.Message):
    __slots__ = ("kind", "bounds", "encoding", "format", "data", "data_size", "transfer_id", "pixels", "reference_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATA_SIZE_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    kind: LayerKind
    bounds: Bounds
    encoding: Encoding
    format: PixelFormat
    data: bytes
    data_size: int
    transfer_id: int
    pixels: Extent
    reference_id: str
    def __init__(self, kind: _Optional[_Union[LayerKind, str]] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., encoding: _Optional[_Union[Encoding, str]] = ..., format: _Optional[_Union[PixelFormat, _Mapping]] = ..., data: _Optional[bytes] = ..., data_size: _Optional[int] = ..., transfer_id: _Optional[int] = ..., pixels: _Optional[_Union[Extent, _Mapping]] = ..., reference_id: _Optional[str] = ...) -> None: ...

class LayerChunk(_message.Message):
    __slots__ = ("transfer_id", "offset", "data", "last")
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    transfer_id: int
    offset: int
    data: bytes
    last: bool
    def __init__(self, transfer_id: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...
