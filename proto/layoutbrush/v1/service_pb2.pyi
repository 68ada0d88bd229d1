from layoutbrush.v1 import documents_pb2 as _documents_pb2
from layoutbrush.v1 import drafts_pb2 as _drafts_pb2
from layoutbrush.v1 import info_pb2 as _info_pb2
from layoutbrush.v1 import polling_pb2 as _polling_pb2
from layoutbrush.v1 import references_pb2 as _references_pb2
from layoutbrush.v1 import render_pb2 as _render_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
