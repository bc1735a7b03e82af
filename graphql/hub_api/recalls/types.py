"""What the API takes and shows of recalls."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import strawberry
from strawberry.scalars import JSON

from hub.access.keys import Scope
from hub.clock import moment
from hub.ledger import unit_views
from hub.lifecycle import Status
from hub.recalls import Resolution, Standing, containment, recall_predicates
from hub.recalls import Scope as Counted
from hub.recalls.containment import customers, orders_of, units
from hub.recalls.notices import NoticeState
from hub.storage.documents import document
from hub.storage.sql import Row
from hub_api.common.command_inputs import AdvanceShipNoticeReference
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.common.paging import Connection, page, position
from hub_api.engine.stored import each
from hub_api.units.types import Unit


@strawberry.input(
    description="Serials from one to another, both in it. The number at their end counts, if they "
    "begin alike; otherwise digits and letters count at every place, and both are of one length."
)
class SerialRangeInput:
    first: str
    last: str
    letters: bool = strawberry.field(
        description="Count through digits and letters although both end with a number: 9, A, B.",
        default=False,
    )


@strawberry.input(description="A part of serials at fixed places, such as the year or the week.")
class SerialSegmentInput:
    start: int = strawberry.field(
        description="Its first place in the serial without dashes and blanks, from 1."
    )
    first: str = strawberry.field(description="Lowest value, digits and letters.")
    last: str = strawberry.field(description="Highest value, of the same length.")


@strawberry.input(
    description="A time of production as a maker's serials state it, from one year, month or week "
    "to another, both in it."
)
class SerialPeriodInput:
    manufacturer: str = strawberry.field(
        description="Code of the maker; its serialPeriod decodes the serials."
    )
    first: str = strawberry.field(description="2025, 2025-03 or 2025-W09.")
    last: str = strawberry.field(description="Of the same kind.")


@strawberry.input(
    description="Predicate of a recall. Each field narrows it; `all` and `any` join further "
    "predicates; `component` matches a kit that has, or ever had, a matching "
    "part."
)
class RecallPredicateInput:
    products: list[str] | None = strawberry.field(description="SKUs.", default=None)
    manufacturer: str | None = None
    serials: list[str] | None = strawberry.field(
        description="In any writing; also IMEI and other names.", default=None
    )
    ranges: list[SerialRangeInput] | None = None
    prefixes: list[str] | None = strawberry.field(
        description="Beginnings of serials.", default=None
    )
    patterns: list[str] | None = strawberry.field(
        description="Forms of serials: ? for any character, # for a digit, @ for a letter, and * "
        "for any rest.",
        default=None,
    )
    segments: list[SerialSegmentInput] | None = strawberry.field(
        description="Parts of serials at fixed places; all must match.", default=None
    )
    periods: list[SerialPeriodInput] | None = strawberry.field(
        description="Times of production that serials state.", default=None
    )
    lots: list[str] | None = None
    produced_from: date | None = None
    produced_to: date | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    suppliers: list[str] | None = None
    purchase_orders: list[str] | None = None
    advance_ship_notices: list[AdvanceShipNoticeReference] | None = None
    component: "RecallPredicateInput | None" = None
    all: "list[RecallPredicateInput] | None" = None
    any: "list[RecallPredicateInput] | None" = None

    def plain(self) -> dict[str, Any]:
        """Return the fields that were given, in plain values."""
        given = {name: _plain(value) for name, value in vars(self).items() if value is not None}
        if "advance_ship_notices" in given:
            given["deliveries"] = given.pop("advance_ship_notices")
        return given


def _plain(value: Any) -> Any:
    if isinstance(value, RecallPredicateInput):
        return value.plain()
    if isinstance(value, SerialRangeInput):
        ends = {"first": value.first, "last": value.last}
        return ends | {"letters": True} if value.letters else ends
    if isinstance(value, SerialSegmentInput | SerialPeriodInput | AdvanceShipNoticeReference):
        return dict(vars(value))
    if isinstance(value, date):
        return value.isoformat()
    return [_plain(each) for each in value] if isinstance(value, list) else value


@strawberry.type(
    description="Units at the edges of what a recall catches: by the length of their serials, then "
    "by their letters."
)
class RecallEdges:
    first: Unit | None = strawberry.field(description="First unit that is caught.")
    last: Unit | None = strawberry.field(description="Last unit that is caught.")
    nearest_before: Unit | None = strawberry.field(
        description="Nearest unit of the same products before it that is not caught."
    )
    nearest_after: Unit | None = strawberry.field(
        description="Nearest unit of the same products behind it that is not caught."
    )


@strawberry.type(description="How many affected units stand in a status.")
class RecallStatusCount:
    status: Status
    units: int


def _of_status(counted: tuple[str, int]) -> RecallStatusCount:
    return RecallStatusCount(status=Status(counted[0]), units=counted[1])


@strawberry.type(description="How many affected units are at a place.")
class RecallPlaceCount:
    location: str
    units: int


@strawberry.type(description="How many affected units a channel sold that are with customers.")
class RecallChannelCount:
    channel: str | None = strawberry.field(description="Null: units that nobody has bought.")
    units: int


@strawberry.type(description="How many units of a product are affected, and how many there are.")
class RecallProductCount:
    sku: str
    affected: int
    units: int


@strawberry.type(description="Counts of the units that a recall describes. Nothing is changed.")
class RecallScope:
    affected: int
    of_products: int = strawberry.field(description="All units of the products it touches.")
    customers: int
    statuses: list[RecallStatusCount]
    places: list[RecallPlaceCount]
    channels: list[RecallChannelCount]
    products: list[RecallProductCount]

    @classmethod
    def of(cls, scope: Counted) -> "RecallScope":
        """Show what was counted."""
        return cls(
            affected=scope.affected,
            of_products=scope.of_products,
            customers=scope.customers,
            statuses=each(_of_status, scope.statuses),
            places=[RecallPlaceCount(location=code, units=n) for code, n in scope.places],
            channels=[RecallChannelCount(channel=code, units=n) for code, n in scope.channels],
            products=[RecallProductCount(sku=s, affected=n, units=m) for s, n, m in scope.products],
        )


@strawberry.type(
    description="How far a recall is contained. onHand + sold + missing + destroyed = affected; "
    "located = affected - missing; open + resolved = affected."
)
class RecallCounts:
    channel: str | None = strawberry.field(
        description="That sold the units; null: nobody had bought them, or the total."
    )
    affected: int
    located: int
    on_hand: int
    blocked: int = strawberry.field(description="Of those in house.")
    sold: int = strawberry.field(description="With customers now.")
    missing: int
    destroyed: int
    notified: int = strawberry.field(description="Units whose customer was sent a notice.")
    delivered: int
    returned: int
    resolved: int
    open: int

    @classmethod
    def of(cls, channel: str | None, standing: Standing) -> "RecallCounts":
        """Show what was counted."""
        return cls(channel=channel, **asdict(standing))


@strawberry.type(description="How far a recall is contained, in total and by channel.")
class RecallContainment:
    total: RecallCounts
    by_channel: list[RecallCounts] = strawberry.field(metadata={"size": 10})


@strawberry.type(description="A unit under a recall, until nothing is left to do about it.")
class RecalledUnit:
    id: strawberry.ID
    recall: str = strawberry.field(description="The reference of the recall.")
    why: str = strawberry.field(description="Part of the predicate that the unit matches.")
    status_when_caught: Status
    channel: str | None
    order_number: str | None
    customer_ref: str | None = strawberry.field(description="Who has it: a pseudonym.")
    caught_at: datetime
    returned_at: datetime | None
    resolution: Resolution | None
    resolved_by: str | None
    resolved_at: datetime | None
    unit_id: strawberry.Private[str]

    @classmethod
    def of(cls, row: Row) -> "RecalledUnit":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            recall=row["recall_ref"],
            why=row["why"],
            status_when_caught=Status(row["status_when_caught"]),
            channel=row["channel_code"],
            order_number=row["order_number"],
            customer_ref=row["customer_ref"],
            caught_at=moment(row["caught_at"]),
            returned_at=_moment(row["returned_at"]),
            resolution=Resolution(row["resolution"]) if row["resolution"] else None,
            resolved_by=row["resolved_by"],
            resolved_at=_moment(row["resolved_at"]),
            unit_id=row["unit_id"],
        )

    @strawberry.field(description="The unit as it is now: where it is, and how it stands.")
    async def unit(self, info: Info) -> Unit:
        row = await info.context.loaders.of(unit_views.units_by_id).load(self.unit_id)
        return Unit.of(row)


@strawberry.type(description="An order by which a customer got recalled units.")
class RecalledOrder:
    number: str
    channel: str


@strawberry.type(description="Customer with affected units, and the state of their notice.")
class RecalledCustomer:
    customer_ref: str
    units: int
    open_units: int
    orders: list[RecalledOrder] = strawberry.field(metadata={"size": 2})
    notice: NoticeState | None = strawberry.field(
        description="State of the notice; null when none was due yet."
    )
    detail: str | None = strawberry.field(description="The channel's words about the message.")
    sent_at: datetime | None
    delivered_at: datetime | None

    @classmethod
    def of(cls, row: Row, orders: list[Row]) -> "RecalledCustomer":
        """Show a row."""
        return cls(
            customer_ref=row["customer_ref"],
            units=row["units"],
            open_units=row["open_units"],
            orders=[RecalledOrder(number=o["number"], channel=o["channel_code"]) for o in orders],
            notice=NoticeState(row["state"]) if row["state"] else None,
            detail=row["detail"],
            sent_at=_moment(row["sent_at"]),
            delivered_at=_moment(row["delivered_at"]),
        )


@strawberry.type(description="A recall: it catches what it describes, now and later, until closed.")
class Recall(Node):
    id: strawberry.ID
    ref: str
    title: str
    instructions: str = strawberry.field(description="Instructions for customers.")
    state: str = strawberry.field(description="open or closed.")
    product: str | None = strawberry.field(description="The SKU, where it is about one product.")
    predicate: strawberry.scalars.JSON = strawberry.field(description="As it was checked.")
    describes: str = strawberry.field(description="The predicate in plain words.")
    channel: str | None = strawberry.field(
        description="Channel that carries the notices to customers."
    )
    opened_by: str
    opened_at: datetime
    closed_by: str | None
    closed_at: datetime | None
    closed_because: str | None = strawberry.field(description="Why, with units still open.")
    first_contact_at: datetime | None = strawberry.field(
        description="When the first customer was sent a notice."
    )
    minutes_to_first_contact: float | None

    @classmethod
    def of(cls, row: Row) -> "Recall":
        """Show a row."""
        predicate = document(row["predicate"])
        first = _moment(row["first_contact_at"])
        opened = moment(row["opened_at"])
        return cls(
            id=strawberry.ID(row["id"]),
            ref=row["ref"],
            title=row["title"],
            instructions=row["instructions"],
            state=row["state"],
            product=row["sku"],
            predicate=JSON(predicate),
            describes=recall_predicates.words(predicate),
            channel=row["channel_code"],
            opened_by=row["opened_by"],
            opened_at=opened,
            closed_by=row["closed_by"],
            closed_at=_moment(row["closed_at"]),
            closed_because=row["closed_because"],
            first_contact_at=first,
            minutes_to_first_contact=(first - opened) / timedelta(minutes=1) if first else None,
        )

    @strawberry.field(
        description="Counted now: per channel and in total.", metadata={"cost": 50, "size": 10}
    )
    async def containment(self, info: Info) -> RecallContainment:
        """Count how far it is contained."""
        total, by_channel = await info.context.database.report(
            lambda tx: containment(tx, str(self.id))
        )
        return RecallContainment(
            total=RecallCounts.of(None, total),
            by_channel=[RecallCounts.of(code, standing) for code, standing in by_channel],
        )

    @strawberry.field(description="Its units, each with why and where.")
    async def units(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        open_only: bool = False,
        channel: str | None = None,
    ) -> Connection[RecalledUnit]:
        rows = await info.context.read(
            lambda tx: units(
                tx,
                str(self.id),
                first=first,
                after=position(after),
                open_only=open_only,
                channel=channel,
            )
        )
        return page(rows, first, after, RecalledUnit.of)

    @strawberry.field(description="Customers with affected units, and the state of their notices.")
    async def customers(
        self, info: Info, first: int = 50, after: str | None = None
    ) -> Connection[RecalledCustomer]:
        info.context.require(Scope.OPS)

        def read(tx: Any) -> tuple[list[Row], dict[str, list[Row]]]:
            found = customers(tx, str(self.id), first=first, after=position(after))
            refs = [row["customer_ref"] for row in found]
            return found, orders_of(tx, str(self.id), refs)

        rows, orders = await info.context.read(read)
        return page(
            rows, first, after, lambda row: RecalledCustomer.of(row, orders[row["customer_ref"]])
        )


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
