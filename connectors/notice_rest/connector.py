"""A service that carries messages to people over REST: mail, text messages, an app.

One path takes a message as JSON with an ``Idempotency-Key``. What becomes of it comes back by
webhook, signed as the Standard Webhooks specification says (webhook-id, webhook-timestamp,
webhook-signature): a provider that signs otherwise wants a connector of its own.

It cannot: attach files, or ask for the state of a message again when its webhook got lost.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from connectors.contract import Connector, OrderRef, ReceiveWebhooks, SendNotice, WebhookCall
from connectors.errors import Rejected, Unknown
from connectors.remote import Remote
from connectors.toolkit import signatures
from connectors.toolkit.json_fields import parsed_json
from hub.vocabulary import Notice, NoticeOutcome, NoticeReceipt

# How old a signed webhook may be, and how far a sender's clock may run ahead.
DETAIL_CHARS_MAX = 200


class NoticeRestSettings(BaseModel):
    """One service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: HttpUrl
    token: SecretStr
    webhook_secret: SecretStr = Field(description="As the service shows it: whsec_…")
    token_header: str = "Authorization"
    token_prefix: str = "Bearer "
    messages_path: str = "/messages"
    check_path: str = Field("/messages", description="A path that a GET with the token can read")
    outcome_words: Mapping[str, NoticeOutcome] = Field(
        default={
            "message.delivered": NoticeOutcome.DELIVERED,
            "message.bounced": NoticeOutcome.FAILED,
            "message.failed": NoticeOutcome.FAILED,
            "message.confirmed": NoticeOutcome.ANSWERED,
        },
        description="The service's event types; others are let pass",
    )
    calls_per_second: float = Field(5.0, gt=0)


class NoticeRest(Connector[NoticeRestSettings], SendNotice, ReceiveWebhooks):
    """One service that carries messages."""

    key: ClassVar[str] = "notice_rest"
    settings_model: ClassVar[type[BaseModel]] = NoticeRestSettings

    @classmethod
    def remote(cls, settings: NoticeRestSettings) -> Remote:
        """Describe the service."""
        token = f"{settings.token_prefix}{settings.token.get_secret_value()}"
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            headers={settings.token_header: token},
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read what the token opens."""
        response = await self.api.request("GET", self.settings.check_path)
        _object(response.content)

    async def send_notice(self, notice: Notice) -> str:
        """Hand a message over; the same reference again is the same message there."""
        contact = notice.contact
        if not contact.email and not contact.phone:
            raise Rejected("there is neither an address nor a number to send to")
        response = await self.api.request(
            "POST",
            self.settings.messages_path,
            json={
                "reference": notice.reference,
                "to": {"name": contact.name, "email": contact.email, "phone": contact.phone},
                "language": contact.language,
                "subject": notice.subject,
                "text": notice.text,
            },
            headers={"Idempotency-Key": notice.reference},
            repeat=True,
        )
        message = _object(response.content).get("id")
        if not isinstance(message, str) or not message:
            raise Unknown("the service names no id of the message")
        return message

    def verify(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> WebhookCall:
        """Verify a call signed as Standard Webhooks specify, and refuse a recorded one."""
        key = signatures.standard_webhooks_key(self.settings.webhook_secret)
        call_id = signatures.require_standard_webhook(key, headers, body, received_at)
        return WebhookCall(call_id, _type_of(body))

    def read(self, topic: str, body: bytes) -> Sequence[OrderRef]:
        """Find no order: this service knows none."""
        return ()

    def receipts(self, topic: str, body: bytes) -> Sequence[NoticeReceipt]:
        """Read what became of a message."""
        outcome = self.settings.outcome_words.get(topic)
        try:
            payload = _object(body)
            data, at = payload.get("data"), datetime.fromisoformat(str(payload.get("timestamp")))
        except (Unknown, ValueError):
            return ()
        if outcome is None or not isinstance(data, dict) or not isinstance(data.get("id"), str):
            return ()
        return (
            NoticeReceipt(
                message=data["id"],
                outcome=outcome,
                at=at if at.tzinfo else at.replace(tzinfo=UTC),
                detail=str(data.get("detail") or "")[:DETAIL_CHARS_MAX],
            ),
        )


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = parsed_json(content)
    except ValueError as error:
        raise Unknown("the service's answer is not JSON") from error
    if not isinstance(found, dict):
        raise Unknown("the service's answer is no object")
    return found


def _type_of(body: bytes) -> str:
    try:
        return str(_object(body).get("type", ""))
    except Unknown:
        return ""
