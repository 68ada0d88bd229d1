from layoutbrush.v1 import render_pb2 as _render_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartRenderRequest(_message.Message):
    __slots__ = ("render", "timeout_seconds")
    RENDER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    render: _render_pb2.RenderRequest
    timeout_seconds: int
    def __init__(self, render: _Optional[_Union[_render_pb2.RenderRequest, _Mapping]] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class StartRenderResponse(_message.Message):
    __slots__ = ("render_id", "revision", "idle_seconds")
    RENDER_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IDLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    render_id: str
    revision: int
    idle_seconds: int
    def __init__(self, render_id: _Optional[str] = ..., revision: _Optional[int] = ..., idle_seconds: _Optional[int] = ...) -> None: ...

class PollRenderRequest(_message.Message):
    __slots__ = ("render_id", "after", "wait_ms")
    RENDER_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    render_id: str
    after: int
    wait_ms: int
    def __init__(self, render_id: _Optional[str] = ..., after: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class PollRenderResponse(_message.Message):
    __slots__ = ("events", "next", "finished")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_render_pb2.RenderResponse]
    next: int
    finished: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_render_pb2.RenderResponse, _Mapping]]] = ..., next: _Optional[int] = ..., finished: _Optional[bool] = ...) -> None: ...

class CancelRenderRequest(_message.Message):
    __slots__ = ("render_id",)
    RENDER_ID_FIELD_NUMBER: _ClassVar[int]
    render_id: str
    def __init__(self, render_id: _Optional[str] = ...) -> None: ...

class CancelRenderResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
