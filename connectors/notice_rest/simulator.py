"""A service that carries messages to people: takes them by REST, reports them by webhook."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.testing.doors import KeyDoor
from connectors.testing.record_twin import RecordTwin, route
from connectors.testing.simulator import Webhook


class NoticeSimulator(RecordTwin):
    """Keeps every message once; `tell` says what became of it, to whoever listens."""

    def __init__(
        self,
        token: str = "twin-notice-token",
        secret: str = "whsec_dHdpbi1ub3RpY2Utc2VjcmV0",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.secret = secret
        self.messages: dict[str, dict[str, Any]] = {}
        super().__init__(KeyDoor(token, "token"), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `notice_rest` reaches this simulator."""
        return {**super().settings(url), "webhook_secret": self.secret}

    def emit(self, message: str, what: str, detail: str = "") -> None:
        """Send the status of a message, such as ``message.delivered`` or ``message.bounced``."""
        payload = {
            "type": what,
            "timestamp": self.now().isoformat(),
            "data": {"id": message, "detail": detail},
        }
        self.send_webhook(what, f"evt_{self.next_id()}", json.dumps(payload).encode())

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign a delivery as the Standard Webhooks specification says."""
        sent = str(int(self.now().timestamp()))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{webhook.id}.{sent}.".encode() + webhook.body
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return {
            "webhook-id": webhook.id,
            "webhook-timestamp": sent,
            "webhook-signature": f"v1,{digest}",
        }

    @route("GET", "/messages")
    async def count(self, request: Request) -> Any:
        """Answer how many messages were taken."""
        return {"count": len(self.messages)}

    @route("POST", "/messages")
    async def take(self, request: Request) -> Response:
        """Take a message; its key makes a repeat the same one."""
        key, body = request.headers.get("idempotency-key"), await request.body()
        return JSONResponse(self.once(key, body, lambda: self._taken(body)), status_code=202)

    def _taken(self, body: bytes) -> dict[str, str]:
        message = f"msg_{self.next_id()}"
        self.messages[message] = json.loads(body)
        return {"id": message}
