"""Outgoing webhooks: who is told of which events, and what became of each message."""

from datetime import datetime

import orjson
import strawberry

from hub import webhooks
from hub.clock import moment
from hub.storage.documents import values
from hub.storage.sql import Row
from hub.webhooks import EndpointCard, EndpointState, messages, signing
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.engine.stored import each


@strawberry.input(
    description="Where messages go, and about which events; what is left empty limits nothing."
)
class WebhookInput:
    url: str = strawberry.field(description="https, and of the public internet.")
    description: str = ""
    topics: list[str] = strawberry.field(
        description="As in unit.ship: unit and the action of the event; or service_level.broken, "
        "service_level.kept.",
        default_factory=list,
    )
    sku: str | None = strawberry.field(description="Units of one product.", default=None)
    sites: list[str] = strawberry.field(
        description="Events that begin or end at these sites, by code.", default_factory=list
    )
    client: str | None = strawberry.field(
        description="The code of the client: its goods, since they are its own, and no others.",
        default=None,
    )

    def plain(self) -> EndpointCard:
        """Return the card."""
        return EndpointCard(
            url=self.url,
            description=self.description,
            topics=tuple(self.topics),
            sku=self.sku,
            sites=tuple(self.sites),
            client=self.client,
        )


@strawberry.type(description="One try to deliver a message.")
class WebhookAttempt:
    number: int
    status: int | None = strawberry.field(description="Of HTTP; null: there was no answer.")
    answer: str = strawberry.field(description="Its beginning, or what went wrong.")
    duration_ms: int
    at: datetime

    @classmethod
    def of(cls, row: Row) -> "WebhookAttempt":
        """Show a row."""
        return cls(
            number=row["number"],
            status=row["status"],
            answer=row["answer"],
            duration_ms=row["duration_ms"],
            at=moment(row["at"]),
        )


@strawberry.type(description="One message for one address.")
class WebhookDelivery:
    id: strawberry.ID
    topic: str
    event_id: strawberry.ID | None = strawberry.field(
        description="Id that each attempt has as webhook-id; null for a test, which has its own."
    )
    state: str = strawberry.field(description="waiting, delivered or given_up.")
    attempt_count: int = strawberry.field(description="Since it was last put in the queue.")
    due_at: datetime | None = strawberry.field(description="When it is tried; null: settled.")
    last_error: str | None
    body: strawberry.scalars.JSON
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "WebhookDelivery":
        """Show a row."""
        waits = row["state"] == "waiting"
        return cls(
            id=strawberry.ID(row["id"]),
            topic=row["topic"],
            event_id=strawberry.ID(row["event_id"]) if row["event_id"] else None,
            state=row["state"],
            attempt_count=row["attempts"],
            due_at=moment(row["due_at"]) if waits else None,
            last_error=row["last_error"],
            body=orjson.loads(row["body"]),
            created_at=moment(row["created_at"]),
            settled_at=moment(row["settled_at"]) if row["settled_at"] else None,
        )

    @strawberry.field(
        description="Each try of the last month, the first one first.", metadata={"size": 10}
    )
    async def attempts(self, info: Info) -> list[WebhookAttempt]:
        found = await info.context.loaders.of(messages.attempts).load(self.id)
        return each(WebhookAttempt.of, found or [])


@strawberry.type(description="Endpoint that receives events.")
class WebhookEndpoint(Node):
    id: strawberry.ID
    url: str
    description: str
    topics: list[str] = strawberry.field(description="Empty: all.")
    state: EndpointState
    disabled_reason: str | None
    disabled_at: datetime | None
    failures: int = strawberry.field(description="In a row.")
    failing_since: datetime | None
    rests_until: datetime | None = strawberry.field(
        description="It asked for a pause, or is given one."
    )
    last_success_at: datetime | None
    created_by: str
    created_at: datetime
    row: strawberry.Private[Row]

    @classmethod
    def of(cls, row: Row) -> "WebhookEndpoint":
        """Show a row; its secret is never shown again."""
        return cls(
            id=strawberry.ID(row["id"]),
            url=row["url"],
            description=row["description"],
            topics=values(row["topics"]),
            state=EndpointState(row["state"]),
            disabled_reason=row["disabled_reason"],
            disabled_at=moment(row["disabled_at"]) if row["disabled_at"] else None,
            failures=row["failures"],
            failing_since=moment(row["failing_since"]) if row["failing_since"] else None,
            rests_until=webhooks.resting_until(row),
            last_success_at=moment(row["last_success_at"]) if row["last_success_at"] else None,
            created_by=row["created_by"],
            created_at=moment(row["created_at"]),
            row=row,
        )

    @strawberry.field(description="Product that the endpoint receives events of; null: all.")
    async def sku(self, info: Info) -> str | None:
        return await self._code(info, "product", "sku", "product_id")

    @strawberry.field(
        description="Code of the client whose goods the endpoint receives events of; null: all."
    )
    async def client(self, info: Info) -> str | None:
        return await self._code(info, "client", "code", "client_id")

    async def _code(self, info: Info, table: str, name: str, column: str) -> str | None:
        if self.row[column] is None:
            return None
        # Names of tables and columns are our own words, never input.
        found: str | None = await info.context.read(
            lambda tx: tx.value(f"SELECT {name} FROM {table} WHERE id = :id", id=self.row[column])
        )
        return found

    @strawberry.field(
        description="Codes of the sites that the endpoint receives events of; empty: all."
    )
    async def sites(self, info: Info) -> list[str]:
        ids = values(self.row["site_ids"])
        rows = await info.context.read(
            lambda tx: tx.rows(
                "SELECT code FROM location WHERE id IN (:ids...) ORDER BY 1", ids=ids
            )
        )
        return [row["code"] for row in rows]

    @strawberry.field(description="How many messages are to be sent; more may be in the ledger.")
    async def waiting(self, info: Info) -> int:
        return await info.context.read(lambda tx: messages.waiting(tx, self.id))

    @strawberry.field(description="Public key of the Ed25519 signature (whpk_…); null for HMAC.")
    async def public_key(self, info: Info) -> str | None:
        secret = info.context.vault.open(self.row["secrets"])["secret"]
        return signing.shown(secret) if secret.startswith(signing.PRIVATE) else None

    @strawberry.field(description="Until when the secret before signs too; null: no longer.")
    async def old_secret_until(self, info: Info) -> datetime | None:
        """Say how long a rotation still lasts."""
        kept = info.context.vault.open(self.row["secrets"])
        until = datetime.fromisoformat(kept["until"]) if "until" in kept else None
        return until if until and until > info.context.clock() else None
