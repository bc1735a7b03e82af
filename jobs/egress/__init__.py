"""Where connectors may connect: https to the public internet, and what the environment names.

Settings of a channel name an address, and whoever may write them could name one of our own network
or of the machine's provider (server-side request forgery). So the addresses that a name resolves to
are checked at the connection itself, and a checked one is connected to: a name that resolves
differently afterwards (DNS rebinding) has no effect. Each redirect is a request like any other.
Proxies of the environment are not used: they would connect where they like.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache

import httpcore
import httpx

from connectors.errors import Rejected
from hub.webhooks.addresses import Address, is_public, literal_of

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
ADDRESSES_MAX = 4  # of a name, tried one after the other
CONNECTIONS_MAX = 100
HINT = "SERIAL_HUB_PRIVATE_HOSTS names the hosts that are excepted"


async def resolved(host: str, port: int) -> Sequence[Address]:
    """Return every address of a host, as the system resolves it; raises OSError without one."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A scope (``%eth0``) belongs to link-local addresses only.
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


class AddressForbidden(Rejected):
    """The address is not one that connectors may connect to. Next: correct the settings."""


class Egress:
    """The rule, with its exceptions.

    `private` holds names (``erp.internal``), endings of names (``.internal``), addresses and
    networks (``10.1.0.0/16``). They may be private, and may be asked by http.
    """

    def __init__(self, private: Iterable[str] = (), resolve: Resolve = resolved) -> None:
        self._resolve = resolve
        self._names: set[str] = set()
        self._endings: tuple[str, ...] = ()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for each in private:
            name = each.strip().lower()
            try:
                self._networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                if name.startswith("."):
                    self._endings += (name,)
                else:
                    self._names.add(name)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a way out that keeps the rule."""
        return _Transport(self)

    def is_named(self, host: str) -> bool:
        """Return whether a host is excepted by its name, or as an address."""
        name = host.lower().rstrip(".")
        literal = literal_of(name)
        if literal is not None:
            return self._is_listed(literal)
        return name in self._names or (bool(self._endings) and name.endswith(self._endings))

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host; raises AddressForbidden, or OSError without any."""
        literal = literal_of(host)
        found = [literal] if literal is not None else list(await self._resolve(host, port))
        named = self.is_named(host)
        if not all(named or is_public(each) or self._is_listed(each) for each in found):
            raise AddressForbidden(f"{host} is not an address of the public internet: {HINT}")
        return found[:ADDRESSES_MAX]

    async def check_plain(self, host: str, port: int) -> None:
        """Raise AddressForbidden for a host that may not be asked by http."""
        if self.is_named(host):
            return
        try:
            found = await self.addresses(host, port)
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        if not found or not all(self._is_listed(each) for each in found):
            raise AddressForbidden(f"{host} is asked by https only: {HINT}")

    def _is_listed(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that accepts; some machines have no IPv6."""
        try:
            found = await self._egress.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in found:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport over connections that were checked."""

    def __init__(self, egress: Egress) -> None:
        super().__init__(verify=_trust(), trust_env=False)
        self._egress = egress
        # httpx has no argument for it; a test shows that each connection passes the check.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trust(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_Backend(egress),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises AddressForbidden."""
        url = request.url
        if url.scheme != "https":
            await self._egress.check_plain(url.host, url.port or 80)
        return await super().handle_async_request(request)


@cache
def _trust() -> ssl.SSLContext:
    """Read the certificates of this machine once in a process."""
    return httpx.create_ssl_context()
