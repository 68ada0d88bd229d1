"""Channels, and what is wrong when nobody answers on one: found out with a plain socket, said in one sentence."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import grpc
import grpc.aio

OPTIONS = (
    # A server that was restarted is found again within a second or two, not after minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
Tls = bool | bytes
"""False: none. True: with the certificate authorities that gRPC brings. Bytes: with these, as PEM."""


def channel(address: str, tls: Tls) -> grpc.Channel:
    """A channel for threads."""
    if tls is False:
        return grpc.insecure_channel(address, options=OPTIONS)
    return grpc.secure_channel(address, _credentials(tls), options=OPTIONS)


def aio_channel(address: str, tls: Tls) -> grpc.aio.Channel:
    """A channel for asyncio."""
    if tls is False:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    return grpc.aio.secure_channel(address, _credentials(tls), options=OPTIONS)


def diagnose(address: str, tls: Tls, seconds: float = 3.0) -> str:
    """Say in one sentence why no Layoutbrush server answers at HOST:PORT. Takes up to twice `seconds`."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        return f"{address} is no address: it should look like 127.0.0.1:50051."
    try:
        with socket.create_connection((host, int(port)), seconds) as plain:
            return _shake_hands(plain, host, address, tls)
    except socket.gaierror:
        return f"There is no machine called {host}."
    except ConnectionRefusedError:
        return (
            f"Nothing listens at {address}. Is the server running, and is this its port? "
            "Start one with: layoutbrush serve"
        )
    except TimeoutError:
        return f"{host} doesn't answer. Is the machine on, and does its firewall let port {port} through?"
    except (OSError, OverflowError):
        return f"{address} can't be reached from this machine."


def _shake_hands(plain: socket.socket, host: str, address: str, tls: Tls) -> str:
    """Something listens: see whether it speaks TLS, and whether its certificate would do."""
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    careless.set_alpn_protocols(["h2"])
    try:
        with careless.wrap_socket(plain, server_hostname=host) as wrapped:
            wrapped.settimeout(3.0)
    except (OSError, ValueError):
        if tls is not False:
            return f"The server at {address} is not encrypted; connect to it without TLS."
        return f"Something listens at {address}, but it is no Layoutbrush server; is the port right?"
    if tls is False:
        return f"The server at {address} is encrypted; connect to it with TLS."
    return _judge_certificate(host, address, tls)


def _judge_certificate(host: str, address: str, tls: Tls) -> str:
    try:
        careful = ssl.create_default_context(cadata=tls.decode("ascii") if isinstance(tls, bytes) else None)
    except (ssl.SSLError, UnicodeDecodeError):
        return "The certificate to trust can't be read; it should be a PEM file."
    try:
        port = int(address.rpartition(":")[2])
        with socket.create_connection((host, port), 3.0) as plain, careful.wrap_socket(plain, server_hostname=host):
            return f"The server at {address} is encrypted, but it is no Layoutbrush server; is the port right?"
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
            return f"The server at {address} has a certificate for another name; call it by that name."
        return f"The certificate of the server at {address} isn't trusted here; give its authority as a PEM file."
    except OSError:
        return f"The server at {address} broke the connection off."


def _credentials(tls: Tls) -> Any:
    return grpc.ssl_channel_credentials(tls if isinstance(tls, bytes) else None)
