"""Webhooks: verified on their raw bytes, stored, answered at once; understood later by jobs.intake.

A channel's address is ``/webhooks/{code}``. What is not signed rightly is refused with 401 and not
stored; the same delivery again is answered like the first. Some channels first ask, by GET, whose
address it is.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors import AuthFailed, Connector, ConnectorError, ReceiveWebhooks
from connectors.registry import SettingsInvalid
from hub.errors import UnknownReference
from hub.storage.database import Database
from hub.storage.sql import Row
from hub.sync import channels, inbox
from hub_api.common import security_events
from hub_api.common.security_events import SecurityEvent

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

    async def serve(self, request: Request) -> Response:
        """Answer a delivery, or a channel that asks whose address this is."""
        if request.method == "POST":
            return await self.receive(request)
        return await self.answer(request)

    async def receive(self, request: Request) -> Response:
        """Answer one delivery."""
        code = request.path_params["channel"]
        found = await self._find(code)
        body = await _body(request)
        if body is None:
            return _refusal(413, "BODY_TOO_LARGE", f"At most {BODY_BYTES_MAX} bytes.")
        if found is None:
            # As a wrong signature is: whoever tries codes does not learn which ones there are.
            security_events.note(
                SecurityEvent.REJECTED_WEBHOOK, channel=code, address=_address(request)
            )
            return _refusal(401, "BAD_SIGNATURE", "The signature is not right.")
        channel, connector = found
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = self._clock()
        try:
            await connector.prepare(headers)
            delivery = connector.verify(headers, body, now)
        except AuthFailed as error:
            logger.warning("a webhook for %s was refused: %s", code, error)
            security_events.note(
                SecurityEvent.REJECTED_WEBHOOK, channel=code, address=_address(request)
            )
            return _refusal(401, "BAD_SIGNATURE", "The signature is not right.")
        except ConnectorError as error:  # it could not be looked at: the channel sends it again
            logger.warning("a webhook for %s could not be verified: %s", code, error)
            return _refusal(503, "NOT_VERIFIED", "The signature could not be verified now.")
        except (ValueError, RecursionError) as error:  # what a stranger sent broke the reading
            logger.warning("a webhook for %s was not readable: %s", code, type(error).__name__)
            security_events.note(
                SecurityEvent.REJECTED_WEBHOOK, channel=code, address=_address(request)
            )
            return _refusal(401, "BAD_SIGNATURE", "The signature is not right.")
        message = inbox.Message(channel["id"], delivery.id, "webhook", delivery.topic, body)
        new = await self._database.write(lambda tx: inbox.accept(tx, [message], now))
        return JSONResponse({"accepted": True, "duplicate": not new}, status_code=202)

    async def answer(self, request: Request) -> Response:
        """Answer a channel that asks whose address this is."""
        found = await self._find(request.path_params["channel"])
        answer = found[1].challenge(dict(request.query_params)) if found else None
        if answer is None:
            refusal = _refusal(405, "METHOD_NOT_ALLOWED", "Webhooks are posted.")
            refusal.headers["allow"] = "POST"
            return refusal
        return JSONResponse(dict(answer))

    async def _find(self, code: str) -> tuple[Row, ReceiveWebhooks] | None:
        try:
            channel = await self._database.read(lambda tx: channels.get(tx, code))
        except UnknownReference:
            return None
        if not channels.has_remote(channel):
            return None  # the hub itself: nobody calls
        try:
            connector = self._connector(channel)
        except SettingsInvalid as error:  # stored before the rule that they break
            logger.warning("webhooks for %s are not taken: %s", code, error)
            return None
        return (channel, connector) if isinstance(connector, ReceiveWebhooks) else None


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
