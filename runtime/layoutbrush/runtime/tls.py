"""Certificates: read once, checked before anything listens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from layoutbrush.runtime.errors import InvalidArgument


@dataclass(frozen=True)
class Tls:
    """PEM files: `certificate` with its chain, the server's own first, and its private `key`."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, certificate: str, key: str) -> Tls | None:
        """TLS from two flags; None where both are empty.

        Raises:
            InvalidArgument: only one was given, or they can't be used.
        """
        if not certificate and not key:
            return None
        if not certificate or not key:
            missing = "--tls-key" if certificate else "--tls-cert"
            raise InvalidArgument("TLS needs both --tls-cert and --tls-key.", missing)
        tls = cls(Path(certificate), Path(key))
        tls.check()
        return tls

    def check(self) -> None:
        """Load both as a server would.

        Raises:
            InvalidArgument: a file can't be read, is no PEM, or the key belongs to another certificate.
        """
        for path, flag in ((self.certificate, "--tls-cert"), (self.key, "--tls-key")):
            if not path.is_file():
                raise InvalidArgument(f"There is no file {path}.", flag)
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError):
            text = "Certificate and key can't be used together; both must be PEM files, the key without a password."
            raise InvalidArgument(text, "--tls-cert") from None

    def credentials(self) -> grpc.ServerCredentials:
        """For a gRPC server."""
        return grpc.ssl_server_credentials([(self.key.read_bytes(), self.certificate.read_bytes())])
