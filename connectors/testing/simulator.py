"""Base of all simulators: an ASGI application with injected faults, signed webhooks and a clock."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WEBHOOK_SECONDS_MAX = 5.0


class Fault(StrEnum):
    """A fault that a simulator can inject."""

    RATE_LIMITED = "rate_limited"  # 429 with Retry-After; nothing happens
    THROTTLED = "throttled"  # the channel's own way to say so; nothing happens
    SERVER_ERROR = "server_error"  # 500; nothing happens
    LOST_REQUEST = "lost_request"  # the connection breaks; nothing happens
    LOST_ANSWER = "lost_answer"  # it happens, then the connection breaks


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook call as it was, or was to be, sent."""

    url: str
    topic: str
    id: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None  # None: nobody answered


class Simulator:
    """A stateful simulator of one remote API, for tests and the demo. Serve `simulator.app`.

    `subscribers` are the URLs that receive webhooks; `lose_webhooks` drops them unsent, and
    `duplicate_webhooks` sends each twice. `sent` keeps the webhooks, `calls` the requests.
    """

    def __init__(self, routes: Sequence[Route], clock: Callable[[], datetime] | None) -> None:
        self.now: Callable[[], datetime] = clock or (lambda: datetime.now(UTC))
        self.subscribers: list[str] = []
        self.lose_webhooks = False
        self.duplicate_webhooks = False
        self.sent: list[Webhook] = []
        self.calls: list[str] = []
        self.app: ASGIApp = _FaultMiddleware(self, Starlette(routes=routes))
        self._faults: deque[tuple[Fault, str]] = deque()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._pending: list[Webhook] = []
        self._ids = 1000

    def fail_next(self, fault: Fault, times: int = 1, containing: str = "") -> None:
        """Inject a fault into the next `times` calls whose path or body contains the text."""
        self._faults.extend((fault, containing) for _ in range(times))

    def take_fault(self, asked: str) -> Fault | None:
        """Return and remove the next fault that is meant for this call."""
        for index, (fault, containing) in enumerate(self._faults):
            if containing in asked:
                del self._faults[index]
                return fault
        return None

    def fault_response(self, fault: Fault) -> Response:
        """Return the response of the real API; override it for a channel-specific throttle."""
        if fault is Fault.SERVER_ERROR:
            return JSONResponse({"errors": "Internal Server Error"}, status_code=500)
        return JSONResponse({"errors": "Slow down"}, status_code=429, headers={"Retry-After": "2"})

    def next_id(self) -> int:
        """Return the next id: the same scenario gives the same ids."""
        self._ids += 1
        return self._ids

    def count_from(self, number: int) -> None:
        """Issue ids beyond `number` from now on, as after years of business."""
        self._ids = max(self._ids, number)

    def take_pending_webhooks(self) -> list[Webhook]:
        """Return and remove the webhooks that are still to be sent."""
        taken, self._pending = self._pending, []
        return taken

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Return the headers of a webhook. A simulator that signs its webhooks overrides this."""
        return {"x-twin-delivery": webhook.id}

    def send_webhook(self, topic: str, call_id: str, body: bytes) -> None:
        """Send a webhook to every subscriber, in the background where a loop is running."""
        if self.lose_webhooks:
            return
        for url in self.subscribers:
            unsigned = Webhook(url, topic, call_id, body)
            once = replace(unsigned, headers=self.sign(unsigned))
            self._pending.extend([once] * (2 if self.duplicate_webhooks else 1))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # called from synchronous code: `settle` sends them
        task = loop.create_task(self._send_pending())
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def settle(self) -> None:
        """Wait until every webhook has been sent."""
        while self._deliveries:
            await asyncio.gather(*self._deliveries)
        await self._send_pending()

    async def aclose(self) -> None:
        """Cancel webhooks that are pending."""
        self._pending.clear()
        for task in tuple(self._deliveries):
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def _send_pending(self) -> None:
        if not self._pending:
            return
        async with httpx.AsyncClient(timeout=WEBHOOK_SECONDS_MAX) as client:
            while self._pending:
                webhook = self._pending.pop(0)
                headers = {"content-type": "application/json", **webhook.headers}
                status: int | None = None
                try:
                    answer = await client.post(webhook.url, content=webhook.body, headers=headers)
                    status = answer.status_code
                except httpx.TransportError:
                    pass  # as with the real ones: whoever does not listen, misses it
                self.sent.append(replace(webhook, status=status))


class _FaultMiddleware:
    """Pass a call on, or inject the fault that was ordered for it."""

    def __init__(self, simulator: Simulator, inner: ASGIApp) -> None:
        self.simulator = simulator
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body_of(receive)
        asked = f"{scope['method']} {scope['path']} {body.decode(errors='replace')}"
        self.simulator.calls.append(f"{scope['method']} {scope['path']}")
        replay = _replay(body, receive)
        match self.simulator.take_fault(asked):
            case None:
                await self.inner(scope, replay, send)
            case Fault.LOST_REQUEST:
                await _break(send)
            case Fault.LOST_ANSWER:
                await self.inner(scope, replay, _nowhere)
                await _break(send)
            case fault:
                await self.simulator.fault_response(fault)(scope, replay, send)


async def _body_of(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


async def _break(send: Send) -> None:
    """Promise a body that never comes: the server closes the connection in the middle."""
    headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _nowhere(message: Any) -> None:
    del message
