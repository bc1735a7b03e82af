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
from starlette.routing import Route

from connectors.testing.simulator import Simulator, Webhook


class NoticeSimulator(Simulator):
    """Keeps every message once; `tell` says what became of it, to whoever listens."""

    def __init__(
        self,
        token: str = "twin-notice-token",
        secret: str = "whsec_dHdpbi1ub3RpY2Utc2VjcmV0",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.token, self.secret = token, secret
        self.messages: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, tuple[bytes, str]] = {}
        routes = [Route("/messages", self._messages, methods=["GET", "POST"])]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `notice_rest` reaches this simulator."""
        return {
            "base_url": url,
            "token": self.token,
            "webhook_secret": self.secret,
            "calls_per_second": 1000,
        }

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

    async def _messages(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "unauthorized"}, status_code=401)
        if request.method == "GET":
            return JSONResponse({"count": len(self.messages)})
        key, body = request.headers.get("idempotency-key"), await request.body()
        if not key:
            return JSONResponse({"error": "Idempotency-Key is required"}, status_code=400)
        if key in self._keys:
            known, message = self._keys[key]
            if known != body:
                return JSONResponse({"error": "key used for other content"}, status_code=422)
            return JSONResponse({"id": message}, status_code=202)
        message = f"msg_{self.next_id()}"
        self.messages[message] = json.loads(body)
        self._keys[key] = (body, message)
        return JSONResponse({"id": message}, status_code=202)
