"""Webhooks: verified on their raw bytes, stored, answered at once; understood later by jobs.intake.

A channel's address is ``/webhooks/{code}``. What is not signed rightly is refused with 401 and not
stored; the same delivery again is answered like the first.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors import AuthFailed, Connector, ReceiveWebhooks
from hub import channels, inbox
from hub.database import Database
from hub.errors import UnknownReference
from hub.sql import Row

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = 2 * 1024 * 1024


class Webhooks:
    """The endpoint for all channels."""

    def __init__(
        self,
        database: Database,
        connector: Callable[[Row], Connector[Any]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._connector = connector
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """Answer one delivery."""
        code = request.path_params["channel"]
        try:
            channel = await self._database.read(lambda tx: channels.get(tx, code))
        except UnknownReference:
            return _refusal(404, "NOT_FOUND", "No channel takes webhooks here.")
        connector = self._connector(channel)
        if not isinstance(connector, ReceiveWebhooks):
            return _refusal(404, "NOT_FOUND", "No channel takes webhooks here.")
        body = await _body(request)
        if body is None:
            return _refusal(413, "BODY_TOO_LARGE", f"At most {BODY_BYTES_MAX} bytes.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = self._clock()
        try:
            delivery = connector.verify(headers, body, now)
        except AuthFailed as error:
            logger.warning("a webhook for %s was refused: %s", code, error)
            return _refusal(401, "BAD_SIGNATURE", "The signature is not right.")
        message = inbox.Message(channel["id"], delivery.id, "webhook", delivery.topic, body)
        new = await self._database.write(lambda tx: inbox.accept(tx, [message], now))
        return JSONResponse({"accepted": True, "duplicate": not new}, status_code=202)


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
