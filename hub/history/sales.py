"""Sales history of a unit, after corrections.

Returns, warranties and claims depend on it: the sale in force, the days of activation and
registration, and the unit's replacement. A restock starts a new period: earlier facts belong to the
earlier owners.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from hub.catalogue import time_zone
from hub.clock import moment
from hub.history import unit_history
from hub.lifecycle import LEAVING, RECEIVABLE, Action, Status
from hub.storage.documents import document
from hub.storage.rows import OrderRow
from hub.storage.sql import Row, Transaction


class OrderOfLine(OrderRow):
    """An order with one of its lines, and its channel."""

    line_id: str
    line_ref: str
    line_sku: str
    line_quantity: int
    line_unit_price: str | None
    line_discount: str | None
    channel_code: str
    channel_name: str


@dataclass(slots=True, kw_only=True)
class Sale:
    """One sale of the unit; times in microseconds since 1970.

    `place` is the code of the location that the unit left. `order` is None for a counter sale
    without an order. `replaces` is the unit that it replaced, `cover` the cover of a replacement.
    """

    event_id: str
    action: Action
    occurred_at: int
    recorded_at: int
    place: str | None
    document_type: str | None
    document_ref: str | None
    line_id: str | None
    channel_code: str | None
    replaces: str | None = None
    cover: str | None = None
    order: Row | None = None  # OrderOfLine
    zone: tzinfo = UTC  # of the place that sold it, else as the command stated its time

    @property
    def price(self) -> Decimal | None:
        """Return what was paid for the unit in the order's currency; None where it is not known.

        Its price less its share of the line's discount, rounded to the digits of both amounts.
        """
        if not self.order or self.order["line_unit_price"] is None:
            return None
        price = Decimal(self.order["line_unit_price"])
        discount = Decimal(self.order["line_discount"] or 0)
        quantity = self.order["line_quantity"]
        if not discount or quantity < 1:
            return price
        places = max(_places(price), _places(discount))
        rounded: Decimal = (price - discount / quantity).quantize(
            Decimal(1).scaleb(-places), ROUND_HALF_UP
        )
        return rounded

    @property
    def currency(self) -> str | None:
        """Return the ISO 4217 code of the price; None where no price is known."""
        return str(self.order["currency"]) if self.order and self.order["currency"] else None

    @property
    def sold_on(self) -> date:
        """Return the day of the sale at the place of sale: of the order, else of the event."""
        return self._day(self.order["placed_at"] if self.order else self.occurred_at)

    @property
    def left_on(self) -> date:
        """Return the day of the event at the place that the unit left."""
        return self._day(self.occurred_at)

    def _day(self, at: int) -> date:
        return moment(at).astimezone(self.zone).date()

    @property
    def channel(self) -> str | None:
        """Return the code of the channel that sold it; None for a counter of our own."""
        return str(self.order["channel_code"]) if self.order else self.channel_code


def _places(amount: Decimal) -> int:
    """Return the number of decimals of an amount."""
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


@dataclass(slots=True, kw_only=True)
class Story:
    """Sales history of one unit; days are those of the newest such event."""

    events: list[Row] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)  # all, oldest first
    sale: Sale | None = None  # in force
    restocked_at: int = 0  # recorded; 0: never
    activated_on: date | None = None
    registered_on: date | None = None
    replaced_by: str | None = None
    repairs: int = 0


def stories(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, Story]:
    """Return the sales histories of units, after corrections, with the orders of their sales."""
    found = {
        unit_id: _story(rows)
        for unit_id, rows in unit_history.as_corrected(tx, list(unit_ids)).items()
    }
    sales = [sale for story in found.values() for sale in story.sales]
    orders = orders_of_lines(tx, {sale.line_id for sale in sales if sale.line_id})
    zones = _zones(tx, {sale.place for sale in sales if sale.place})
    for sale in sales:
        sale.order = orders.get(sale.line_id or "")
        sale.zone = zones.get(sale.place or "", sale.zone)
    return found


class _PlaceZone(TypedDict):
    code: str
    time_zone: str


def _zones(tx: Transaction, codes: Iterable[str]) -> dict[str, ZoneInfo]:
    """Return the time zones of places that have one, by their codes; a bin has that of its site."""
    rows = tx.rows_as(
        _PlaceZone,
        "SELECT location.code, COALESCE(location.time_zone, site.time_zone) AS time_zone "
        "FROM location JOIN location AS site ON site.id = location.site_id "
        "WHERE location.code IN (:codes...) "
        "AND COALESCE(location.time_zone, site.time_zone) IS NOT NULL",
        codes=sorted(codes),
    )
    return {row["code"]: time_zone(row["time_zone"]) for row in rows}


def story_of(tx: Transaction, unit_id: str) -> Story:
    """Return the sales history of one unit."""
    return stories(tx, [unit_id])[unit_id]


def orders_of_lines(tx: Transaction, line_ids: Iterable[str]) -> dict[str, OrderOfLine]:
    """Return the orders of lines with the code and name of their channels, by line id."""
    rows = tx.rows_as(
        OrderOfLine,
        "SELECT sales_order.*, order_line.id AS line_id, order_line.ref AS line_ref, "
        "order_line.sku AS line_sku, order_line.quantity AS line_quantity, "
        "order_line.unit_price AS line_unit_price, order_line.discount AS line_discount, "
        "channel.code AS channel_code, "
        "channel.name AS channel_name FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE order_line.id IN (:ids...)",
        ids=sorted(line_ids),
    )
    return {row["line_id"]: row for row in rows}


def details_of(row: Row) -> dict[str, Any]:
    """Return an event's further facts."""
    return document(row["details"])


def _story(rows: list[Row]) -> Story:
    story, line = Story(events=rows), None
    for row in rows:
        details = details_of(row)
        action = Action(row["action"])
        if action is Action.FOLLOW_KIT:
            # A part is sold and comes back with its kit.
            action = Action(details.get("action", action))
        if action is Action.RELEASE:
            line = None
        line = details.get("line") or line
        if action in LEAVING:
            story.sale = _sale(row, action, details, line)
            story.sales.append(story.sale)
        elif action is Action.RESTOCK or _is_again(row, action):
            line = None
            story.sale = story.activated_on = story.registered_on = story.replaced_by = None
            story.restocked_at = row["recorded_at"]
        else:
            _note(story, row, action, details)
    return story


def _is_again(row: Row, action: Action) -> bool:
    """Return whether a unit that had left us for good was received again."""
    return action is Action.RECEIVE and row["status_from"] in RECEIVABLE - {Status.EXPECTED}


def _sale(row: Row, action: Action, details: dict[str, Any], line: str | None) -> Sale:
    return Sale(
        event_id=row["id"],
        action=action,
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        place=row["from_code"],
        document_type=row["document_type"],
        document_ref=row["document_ref"],
        line_id=line,
        channel_code=details.get("channel"),
        replaces=details.get("replaces"),
        cover=details.get("cover"),
        zone=_stated_zone(details),
    )


def _stated_zone(details: dict[str, Any]) -> tzinfo:
    """Return the zone in which a command stated the time of its event."""
    offset = details.get("utc_offset")
    return datetime.strptime(offset, "%z").tzinfo or UTC if offset else UTC


def _note(story: Story, row: Row, action: Action, details: dict[str, Any]) -> None:
    day = moment(row["occurred_at"]).astimezone(_stated_zone(details)).date()
    if action is Action.ACTIVATE:
        story.activated_on = day
    elif action is Action.MAINTAIN and story.sale is not None:
        story.repairs += details.get("kind") == "repair"
    if "registration" in details:
        story.registered_on = date.fromisoformat(details["registration"]["on"])
    if "replaced_by" in details:
        story.replaced_by = details["replaced_by"]
