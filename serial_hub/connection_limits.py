"""HTTP connections that cannot be held open for nothing: time-outs and limits under uvicorn.

uvicorn bounds only the pause between two requests. A client that sends half a head, half a body, or
reads no answer would otherwise keep its connection, and with it a descriptor, for ever.
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.settings import Settings

logger = logging.getLogger("serial_hub.connections")

HEAD_BYTES_MAX = 64 * 1024
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"cache-control: no-store\r\n\r\n"
)
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"cache-control: no-store\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a client may take, in seconds, and how many connections there are."""

    head_seconds: float = 10.0
    """From a connection, or the first byte of a request, to the end of its head."""
    body_seconds: float = 20.0
    """For a body, beside the time that it takes at `body_bytes_per_second`."""
    body_bytes_per_second: float = 1_024.0
    answer_seconds: float = 60.0
    """For a client that has stopped reading its answer."""
    connections_max: int = 800
    per_address_max: int = 100
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses and networks for which `per_address_max` does not count."""

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionLimits":
        """Return the limits that are set."""
        return cls(
            head_seconds=settings.head_seconds,
            body_seconds=settings.body_seconds,
            body_bytes_per_second=settings.body_bytes_per_second,
            answer_seconds=settings.answer_seconds,
            connections_max=settings.connections_max,
            per_address_max=settings.connections_per_address,
            proxies=settings.proxy_addresses(),
        )


class Connections:
    """The open connections of one process."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[Any, str] = {}  # address by transport, the oldest first
        self._count: Counter[str] = Counter()
        # Those that have sent no complete head: the first ones to go where there are too many.
        self.waiting: dict[BoundedProtocol, None] = {}
        networks = [ipaddress.ip_network(each, strict=False) for each in limits.proxies]
        self._proxies = tuple(networks)

    def admits(self, transport: Any, address: str) -> bool:
        """Note a connection, and return whether it may stay."""
        self._forget_closed(address)
        if self._count[address] >= self.limits.per_address_max and not self._is_proxy(address):
            return False
        if len(self._open) >= self.limits.connections_max:
            self._forget_closed(None)
        if len(self._open) >= self.limits.connections_max and not self._give_up_one():
            return False
        self._open[transport] = address
        self._count[address] += 1
        return True

    def closed(self, transport: Any) -> None:
        """Forget a connection."""
        address = self._open.pop(transport, None)
        if address is not None:
            self._count[address] -= 1
            if not self._count[address]:
                del self._count[address]

    def _forget_closed(self, address: str | None) -> None:
        # A connection that became a WebSocket ends without our protocol being asked.
        limit = self.limits.connections_max
        if address is not None and self._count[address] < min(self.limits.per_address_max, limit):
            return
        for transport, of in [*self._open.items()]:
            if address in (None, of) and transport.is_closing():
                self.closed(transport)

    def _give_up_one(self) -> bool:
        """Close the oldest connection that waits for a head; return whether there was one."""
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        del self.waiting[oldest]
        self.closed(oldest.transport)
        oldest.transport.abort()
        return True

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)


class JoinedWrites:
    """A transport that sends the head of an answer together with the body that follows at once.

    Each write is a way into the kernel, and wakes the client. A head that nothing follows at once,
    as of a stream, is sent by the next round of the loop.
    """

    __slots__ = ("_head", "_is_begun", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self._is_begun = False

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or keep the head for a moment."""
        if self._is_begun:
            head, self._head = self._head, b""
            self._transport.write(head + data if head else data)
            return
        self._is_begun, self._head = True, data
        self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what was kept, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with time-outs; `bounded` makes the class that a server takes."""

    known: Connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or close it where there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn narrows it too
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._head_until: float | None = None
        self._body_since: float | None = None
        self._body_bytes = self._head_bytes = 0
        if not self.known.admits(transport, self.client[0] if self.client else ""):
            logger.warning("a connection of %s was refused: too many", self.client)
            self.transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop()
        self.known.closed(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came; a request that has begun has to be completed in time."""
        if self._head_until is None and self._body_since is None:
            self._await_head()
        self._head_bytes += len(data) if self._head_until is not None else 0
        super().data_received(data)
        if self._head_until is None:
            self._head_bytes = 0
        elif self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()
        if self.transport.get_protocol() is not self:
            self._stop()  # a WebSocket now, which has pings of its own

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._head_until = None
        self.known.waiting.pop(self, None)
        self._body_since, self._body_bytes = self.loop.time(), 0
        self._arm(self._body_since + self.known.limits.body_seconds)
        super().on_headers_complete()
        if self.cycle is not None:  # not for a WebSocket
            self.cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Count the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._body_since = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give a client that does not read its answer some time."""
        super().pause_writing()
        seconds = self.known.limits.answer_seconds
        self._write_timer = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def _await_head(self) -> None:
        self._head_until = self.loop.time() + self.known.limits.head_seconds
        self.known.waiting[self] = None
        self._arm(self._head_until)

    def _arm(self, at: float) -> None:
        """Look at the connection at a time, or before."""
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(at, self._check)

    def _check(self) -> None:
        """Close the connection where its client is too slow; else look again when it would be."""
        self._timer = None
        if self.transport.is_closing():
            return
        now, until = self.loop.time(), self._until()
        if until is None:
            return
        if self._is_ours():
            until = max(until, now + 1.0)
        if until > now:
            self._arm(until)
            return
        logger.info("a connection of %s was too slow", self.client)
        self.transport.write(TOO_SLOW)
        self.transport.close()

    def _until(self) -> float | None:
        if self._body_since is not None:
            limits = self.known.limits
            seconds = limits.body_seconds + self._body_bytes / limits.body_bytes_per_second
            return self._body_since + seconds
        return self._head_until

    def _is_ours(self) -> bool:
        """Return whether the client waits for the hub: it answers, or has stopped reading."""
        if self._body_since is not None:
            return self.flow.read_paused
        return self.cycle is not None and not self.cycle.response_complete

    def _stop(self) -> None:
        self.known.waiting.pop(self, None)
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._write_timer = None


def bounded(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """Make the protocol class of one server, with its limits and its connections."""
    return type("BoundedProtocol", (BoundedProtocol,), {"known": Connections(limits)})
