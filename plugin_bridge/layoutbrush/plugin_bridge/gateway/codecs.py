"""How messages are read and written: binary ones aren't parsed at all, JSON ones on their way in and out.

A message of the gateway is `Wire`: bytes as gRPC sends them, and the class that could read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

MAX_JSON_BYTES = 256 << 10
"""Reading long JSON would hold up everyone else's events; pixels travel as binary messages."""


@dataclass(frozen=True)
class Wire:
    """A serialised message. `kind`: its class."""

    data: bytes
    kind: type[Message]


class BinaryCodec:
    """Protocol buffers, passed through unread: the server behind the gateway parses and refuses."""

    def name(self) -> str:
        """Last part of the content type."""
        return "proto"

    def encode(self, message: Wire) -> bytes:
        """Return the bytes to send."""
        return message.data

    def decode(self, data: bytes | bytearray, message_class: Any) -> Wire:
        """Take the bytes that arrived."""
        return Wire(bytes(data), message_class)


class JsonCodec:
    """Protocol buffers as JSON, for curl and for reading along."""

    def name(self) -> str:
        """Last part of the content type."""
        return "json"

    def encode(self, message: Wire) -> bytes:
        """Return the bytes to send."""
        return json_format.MessageToJson(message.kind.FromString(message.data), indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: Any) -> Wire:
        """Read JSON.

        Raises:
            ConnectError: it is too long, or no such message.
        """
        if len(data) > MAX_JSON_BYTES:
            text = f"JSON messages have at most {MAX_JSON_BYTES >> 10} KiB here; send pixels as binary messages."
            raise ConnectError(Code.RESOURCE_EXHAUSTED, text)
        try:
            message = json_format.Parse(bytes(data), message_class(), ignore_unknown_fields=True)
        except (json_format.ParseError, DecodeError, ValueError, RecursionError):
            text = "The message isn't one of layoutbrush.v1: it can't be parsed."
            raise ConnectError(Code.INVALID_ARGUMENT, text) from None
        return Wire(message.SerializeToString(), message_class)
