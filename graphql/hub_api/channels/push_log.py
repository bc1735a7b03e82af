"""What channels were told: each try with what was sent, why, and what was answered."""

from datetime import datetime

import orjson
import strawberry
from strawberry.scalars import JSON

from hub.access.keys import Scope
from hub.clock import moment
from hub.errors import InvalidInput
from hub.storage.documents import document
from hub.storage.sql import Row, Transaction
from hub.sync import channels, push_log
from hub.sync.push_log import PushOutcome
from hub_api.common.context import Info
from hub_api.engine.stored import each

FIRST_MAX = 500


@strawberry.type(description="One attempt to push something to a channel.")
class Push:
    id: strawberry.ID
    topic: str = strawberry.field(description="level, or what a fact is about.")
    subject: str = strawberry.field(description="The SKU of a level; the order or unit of a fact.")
    key: str = strawberry.field(
        description="Why: what was observed and wanted (its idempotency key), or the fact."
    )
    sent: strawberry.scalars.JSON | None = strawberry.field(
        description="Body that was sent; null where it was too long to be stored whole."
    )
    outcome: PushOutcome
    answer: str = strawberry.field(description="Response of the channel, or the error.")
    at: datetime

    @classmethod
    def of(cls, row: Row) -> "Push":
        """Show a row."""
        try:
            sent = JSON(document(row["sent"]))
        except orjson.JSONDecodeError:
            sent = None
        return cls(
            id=strawberry.ID(row["id"]),
            topic=row["topic"],
            subject=row["subject"],
            key=row["key"],
            sent=sent,
            outcome=PushOutcome(row["outcome"]),
            answer=row["answer"],
            at=moment(row["at"]),
        )


@strawberry.type
class PushQuery:
    """Reading what was told."""

    @strawberry.field(
        description="Pushes to a channel in the last month, the newest first; `before` is the id "
        "of the last one that was read."
    )
    async def pushes(
        self,
        info: Info,
        channel: str,
        subject: str | None = None,
        first: int = 50,
        before: strawberry.ID | None = None,
    ) -> list[Push]:
        info.context.require(Scope.OPS)
        if not 0 < first <= FIRST_MAX:
            raise InvalidInput(f"first is 1 to {FIRST_MAX}", field="first")

        def work(tx: Transaction) -> list[Row]:
            found = channels.get(tx, channel)
            return push_log.recent(tx, found["id"], subject, before, first)

        return each(Push.of, await info.context.read(work))
