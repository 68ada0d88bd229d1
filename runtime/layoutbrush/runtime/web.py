"""The gateway beside a server, found by name: browsers speak Connect or gRPC-Web, and want a page.

The gateway is another portion's business (entry-point group `layoutbrush.gateways`); it dials the server as any client
does, over an address of its own that no other machine reaches.
"""

from __future__ import annotations

import platform
import secrets
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from typing import Protocol, cast

from layoutbrush.runtime.errors import FailedPrecondition, NotFound
from layoutbrush.runtime.tls import Tls

GROUP = "layoutbrush.gateways"


@dataclass(frozen=True)
class WebOptions:
    """`port`: 0 = any free one. `names`: host names besides addresses and localhost. `origins`: pages from elsewhere
    that may call. `open`: show the page in the user's browser.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    open: bool = False


class Gateway(Protocol):
    """What an entry point of the group is."""

    def __call__(
        self,
        *,
        upstream: str,
        host: str,
        port: int,
        names: Sequence[str],
        origins: Sequence[str],
        certificate: str,
        key: str,
        max_message_bytes: int,
    ) -> AbstractAsyncContextManager[str]:
        """Serve inside the context; yields the URL of the page."""


def find_gateway() -> Gateway:
    """Load the gateway.

    Raises:
        NotFound: none is part of this installation.
        ModuleNotFoundError: its extra isn't installed.
    """
    found = list(metadata.entry_points(group=GROUP))
    if not found:
        raise NotFound("No web gateway is part of this installation.", "--web")
    return cast("Gateway", found[0].load())


def private_address() -> str:
    """An address on this machine for the gateway alone: hard to guess, and nothing to clean up afterwards."""
    if platform.system() == "Linux":
        return f"unix-abstract:layoutbrush-{secrets.token_hex(16)}"
    return "127.0.0.1:0"


@asynccontextmanager
async def beside(
    options: WebOptions, upstream: str, tls: Tls | None, max_message_bytes: int, token: str
) -> AsyncIterator[str]:
    """Run the gateway inside the context; yields the address for people, with the token where the server wants one.

    Raises:
        FailedPrecondition: its port can't be listened on.
    """
    context = find_gateway()(
        upstream=upstream,
        host=options.host,
        port=options.port,
        names=options.names,
        origins=options.origins,
        certificate=str(tls.certificate) if tls else "",
        key=str(tls.key) if tls else "",
        max_message_bytes=max_message_bytes,
    )
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(context)
        except OSError:
            text = f"Can't listen on {options.host}:{options.port}: the port is taken or not ours."
            raise FailedPrecondition(text, "--web-port") from None
        shown = f"{url}#token={token}" if token else url  # a fragment stays in the browser
        if options.open:
            webbrowser.open(shown)
        yield shown
