"""Returns: the answer at the counter, and what follows it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import strawberry

from hub.clock import moment
from hub.decision_rules import ReturnDecision, Route
from hub.errors import UnknownReference
from hub.returns.findings import ReturnFinding
from hub.storage.documents import document
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.units.types import Unit

RETURNS = (
    "SELECT return_case.*, location.code AS location_code FROM return_case "
    "JOIN location ON location.id = return_case.location_id "
)


@strawberry.type(description="One thing that was noticed about what is brought back.")
class NoticedReturn:
    code: ReturnFinding
    message: str


@strawberry.type(description="One fact that a decision stands on.")
class Evidence:
    name: str
    value: str | None = strawberry.field(description="Null: it is not known.")
    source: str
    at: datetime


@strawberry.type(description="How the unit was sold.")
class ReturnedSale:
    sold_at: datetime
    place: str | None
    channel: str | None
    channel_name: str | None
    order_id: strawberry.ID | None
    order: str | None
    line: str | None
    customer_ref: str | None
    document_type: str | None
    document: str | None
    price: Decimal | None = strawberry.field(
        description="Amount that was paid for the unit, its share of the discounts deducted. Null: "
        "it is not known here; its channel, or the receipt, has it.",
        default=None,
    )
    currency: str | None = strawberry.field(description="ISO 4217 code of the price.", default=None)


def _sale(said: dict[str, Any]) -> ReturnedSale:
    price = said.get("price")
    known = {"sold_at": moment(said["sold_at"]), "price": None if price is None else Decimal(price)}
    return ReturnedSale(**said | known)


@strawberry.type(description="Return that a channel had announced for a unit.")
class ChannelReturnFact:
    ref: str
    state: str
    comes_back: bool = strawberry.field(description="False: the customer was to keep it.")
    reason: str
    refund_reference: str | None = strawberry.field(description="Null: it has not refunded yet.")


def _announced(said: dict[str, Any] | None) -> ChannelReturnFact | None:
    if said is None:
        return None
    return ChannelReturnFact(
        ref=said["ref"],
        state=said["state"],
        comes_back=said["comes_back"],
        reason=said["reason"],
        refund_reference=said["refund_ref"],
    )


@strawberry.type(description="An answer at the counter, kept with all that it stands on.")
class ReturnCase(Node):
    id: strawberry.ID
    identifier: str = strawberry.field(description="As it was read.")
    decision: ReturnDecision
    rule: str = strawberry.field(description="The code of the rule that decided.")
    rule_name: str
    findings: list[NoticedReturn] = strawberry.field(metadata={"size": 5})
    next_step: str = strawberry.field(description="Next step for the person at the counter.")
    sale: ReturnedSale | None
    announced: ChannelReturnFact | None = strawberry.field(
        description="Return that the channel had announced at the time of the check."
    )
    buyer_matches: bool | None = strawberry.field(description="Null: nothing to compare.")
    days_since_sale: int | None
    may_return_until: date | None
    evidence: list[Evidence] = strawberry.field(metadata={"size": 12})
    case_id: strawberry.ID | None = strawberry.field(description="The case that it opened.")
    location: str
    reason: str
    customer_ref: str | None
    state: str = strawberry.field(description="decided, received, refunded or closed.")
    route: Route | None
    route_rule: str | None
    refund_reference: str | None
    decided_by: str
    decided_at: datetime
    received_at: datetime | None
    refunded_at: datetime | None
    closed_at: datetime | None
    unit_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "ReturnCase":
        """Show a row."""
        told = document(row["evidence"])
        sale = told["sale"]
        until = told["may_return_until"]
        return cls(
            id=strawberry.ID(row["id"]),
            identifier=row["identifier"],
            decision=ReturnDecision(row["decision"]),
            rule=row["rule"],
            rule_name=told["rule_name"],
            findings=[
                NoticedReturn(code=ReturnFinding(code), message=message)
                for code, message in told["findings"]
            ],
            next_step=told["next_step"],
            sale=_sale(sale) if sale else None,
            announced=_announced(told.get("announced")),
            buyer_matches=told["buyer_matches"],
            days_since_sale=told["days"],
            may_return_until=date.fromisoformat(until) if until else None,
            evidence=[
                Evidence(**each | {"at": datetime.fromisoformat(each["at"])})
                for each in told["facts"]
            ],
            case_id=strawberry.ID(told["case"]) if told["case"] else None,
            location=row["location_code"],
            reason=row["reason"],
            customer_ref=row["customer_ref"],
            state=row["state"],
            route=Route(row["route"]) if row["route"] else None,
            route_rule=row["route_rule"],
            refund_reference=row["refund_ref"],
            decided_by=row["decided_by"],
            decided_at=moment(row["decided_at"]),
            received_at=_moment(row["received_at"]),
            refunded_at=_moment(row["refunded_at"]),
            closed_at=_moment(row["closed_at"]),
            unit_id=row["unit_id"],
        )

    @strawberry.field(description="The unit as it is now; null for a serial that nobody knows.")
    async def unit(self, info: Info) -> Unit | None:
        row = await info.context.units(self.unit_id) if self.unit_id else None
        return Unit.of(row) if row else None


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


async def show(info: Info, return_id: str) -> ReturnCase:
    """Return a return case by its id."""
    row = await info.context.read(
        lambda tx: tx.row(f"{RETURNS}WHERE return_case.id = :id", id=return_id)
    )
    if row is None:
        raise UnknownReference(f"there is no return {return_id!r}", field="id")
    return ReturnCase.of(row)
