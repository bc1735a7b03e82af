"""Facts of a returned item, read from the ledger only; no channel is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypedDict

from hub import catalogue
from hub.catalogue import CatalogueProductRow
from hub.clock import moment
from hub.commands.context import CommandContext
from hub.errors import AmbiguousUnit, InvalidBarcode, UnknownReference, UnknownUnit
from hub.history.sales import Sale, Story, story_of
from hub.identifiers.serials import follows_rule
from hub.ledger import units
from hub.ledger.units import UnitViewRow
from hub.lifecycle import WITH_CUSTOMER, Status
from hub.returns.channel_returns import ChannelReturnFact, of_unit
from hub.returns.findings import Finding, ReturnFinding
from hub.storage.rows import LocationRow, OrderLineRow, OrderRow, ProductRow, ReturnCaseRow
from hub.storage.sql import Transaction

F = ReturnFinding
BACK = frozenset({Status.RETURNED, Status.IN_REPAIR, Status.CONDEMNED})


class _HoldKind(TypedDict):
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Request of a return check: the item, the location, the reason and the customer's claims.

    `order` is the id, number or reference of an order, or the number of a receipt; `product` the
    expected SKU or GTIN.
    """

    identifier: str
    location: LocationRow
    reason: str
    order: str | None = None
    customer_ref: str | None = None
    product: str | None = None
    condition: str | None = None


@dataclass(slots=True, kw_only=True)
class Known:
    """Known facts of a return; `sale` is the current one, or the last of a returned unit."""

    question: Question
    unit: UnitViewRow | None = None
    product: ProductRow | None = None
    story: Story = field(default_factory=Story)
    sale: Sale | None = None
    named: list[OrderRow] = field(default_factory=list)  # orders with the reference `order`
    named_lines: list[OrderLineRow] = field(default_factory=list)
    expected: CatalogueProductRow | None = None  # expected product
    manufacturer_denies: bool = False  # the manufacturer reports an invalid serial
    holds: frozenset[str] = frozenset()
    refunded: ReturnCaseRow | None = None  # the return that refunded this sale
    announced: ChannelReturnFact | None = None  # as its channel reports it
    ambiguous: str | None = None
    buyer_matches: bool | None = None  # None: nothing to compare
    days: int | None = None  # since the sale
    ends_on: date | None = None  # the last day on which it may come back
    findings: list[Finding] = field(default_factory=list)

    def has(self, code: ReturnFinding) -> bool:
        """Return whether there is a finding with a code."""
        return any(finding.code is code for finding in self.findings)


def find_out(tx: Transaction, context: CommandContext, question: Question) -> Known:
    """Return the known facts of a returned item; raise UnknownReference for an unknown product."""
    known = Known(question=question)
    if question.product is not None:
        known.expected = catalogue.products_by_code(tx, [question.product]).get(question.product)
        if known.expected is None:
            raise UnknownReference(f"there is no product {question.product!r}", field="product")
    _unit(tx, known)
    _orders(tx, known)
    if known.unit is not None:
        _sale(tx, context, known, known.unit)
    known.findings = list(_findings(tx, known))
    return known


def _unit(tx: Transaction, known: Known) -> None:
    question = known.question
    try:
        known.unit = units.find(tx, question.identifier)
    except UnknownUnit:
        return
    except AmbiguousUnit as refusal:
        if known.expected is None:
            known.ambiguous = str(refusal)
            return
        try:
            known.unit = units.find(tx, question.identifier, known.expected["sku"])
        except UnknownUnit:
            known.ambiguous = str(refusal)
            return
    known.product = catalogue.reference(tx, "product", "id", known.unit["product_id"])
    known.story = story_of(tx, known.unit["id"])
    known.sale = known.story.sale
    known.holds = frozenset(
        row["kind"]
        for row in tx.rows_as(
            _HoldKind,
            "SELECT kind FROM hold WHERE unit_id = :unit AND released_at IS NULL",
            unit=known.unit["id"],
        )
    )
    status = tx.value("SELECT status FROM warranty_record WHERE unit_id = :u", u=known.unit["id"])
    known.manufacturer_denies = status == "invalid"


def _orders(tx: Transaction, known: Known) -> None:
    if known.question.order is None:
        return
    known.named = tx.rows_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE id = :name "
        "UNION SELECT * FROM sales_order WHERE number = :name "
        "UNION SELECT sales_order.* FROM channel JOIN sales_order "
        "ON sales_order.channel_id = channel.id AND sales_order.ref = :name",
        name=known.question.order,
    )
    known.named_lines = tx.rows_as(
        OrderLineRow,
        "SELECT * FROM order_line WHERE order_id IN (:ids...)",
        ids=[row["id"] for row in known.named],
    )


def _sale(tx: Transaction, context: CommandContext, known: Known, unit: UnitViewRow) -> None:
    sale, buyer = known.sale, known.question.customer_ref
    if sale is None:
        return
    sold_to = sale.order["customer_ref"] if sale.order else None
    if buyer is not None and sold_to is not None:
        known.buyer_matches = buyer == sold_to
    known.days = (context.now.date() - sale.sold_on).days
    assert known.product is not None  # a unit has a product
    known.ends_on = sale.sold_on + timedelta(days=known.product["return_days"])
    if sale.line_id is not None:
        known.announced = of_unit(tx, sale.line_id, unit)
    known.refunded = tx.row_as(
        ReturnCaseRow,
        "SELECT * FROM return_case WHERE unit_id = :unit AND refund_ref IS NOT NULL "
        "AND decided_at >= :since ORDER BY id DESC LIMIT 1",
        unit=unit["id"],
        since=sale.recorded_at,
    )


def _findings(tx: Transaction, known: Known) -> Iterator[Finding]:
    if known.ambiguous is not None:
        yield Finding(F.AMBIGUOUS_SERIAL, known.ambiguous)
        return
    if known.unit is None:
        yield Finding(F.UNKNOWN_SERIAL, f"serial not found: {known.question.identifier}")
        yield from _never_issued(tx, known)
        return
    yield from _of_state(known, known.unit)
    yield from _of_order(tx, known, known.unit)
    yield from _of_sale(known)


def _never_issued(tx: Transaction, known: Known) -> Iterator[Finding]:
    """Yield a finding for an unknown serial that breaks the manufacturer's rule."""
    skus: Mapping[str, CatalogueProductRow] = (
        {known.expected["sku"]: known.expected} if known.expected else {}
    )
    if not skus:
        codes = sorted({line["sku"] for line in known.named_lines})
        skus = catalogue.products_by_code(tx, codes) if codes else {}
    broken = []
    for product in skus.values():
        try:
            follows_rule(known.question.identifier, product)
        except InvalidBarcode as refusal:
            broken.append(str(refusal))
    if broken and len(broken) == len(skus):
        yield Finding(F.COUNTERFEIT, f"such a serial was never issued: {broken[0]}")


def _of_state(known: Known, unit: UnitViewRow) -> Iterator[Finding]:
    status = Status(unit["status"])
    if known.manufacturer_denies:
        yield Finding(F.COUNTERFEIT, "the manufacturer says that this is none of its serials")
    yield from _of_status(known, unit, status)
    yield from _of_earlier_returns(known)
    if "fraud" in known.holds:
        yield Finding(F.FRAUD_HOLD, "the unit has a fraud hold")
    if "recall" in known.holds:
        yield Finding(F.RECALLED, "the unit is recalled")


def _of_status(known: Known, unit: UnitViewRow, status: Status) -> Iterator[Finding]:
    if status is Status.STOLEN:
        yield Finding(F.STOLEN, "the unit is reported stolen")
    elif status is Status.WRITTEN_OFF:
        yield Finding(F.WRITTEN_OFF, "the unit was written off: the true one no longer exists")
    elif status is Status.MISSING:
        yield Finding(F.MISSING, "the unit is missing from our stock")
    elif status is Status.EXPECTED:
        yield Finding(F.NOT_SOLD_BY_US, "the unit is announced and never arrived: not sold by us")
    elif status in BACK:
        yield Finding(F.ALREADY_RETURNED, f"the unit is with us already ({_words(status)})")
    elif status is Status.IN_KIT and known.sale is not None:
        yield Finding(F.PART_OF_SET, "the unit was sold as part of a set")
    elif status not in WITH_CUSTOMER:
        place = unit["location_code"]
        text = f"the unit with this serial is ours ({_words(status)}, at {place}): this is another"
        yield Finding(F.COUNTERFEIT, text)


def _of_earlier_returns(known: Known) -> Iterator[Finding]:
    if known.refunded is not None:
        refunded_at = known.refunded["refunded_at"]
        assert refunded_at is not None  # set with its reference
        at = moment(refunded_at).date().isoformat()
        yield Finding(F.ALREADY_REFUNDED, f"refunded on {at}: {known.refunded['refund_ref']}")
    elif known.announced is not None:
        yield from _of_channel(known.announced)


def _of_channel(announced: ChannelReturnFact) -> Iterator[Finding]:
    """Yield the finding of a channel return: announced, refunded, or kept by the customer."""
    if not announced.comes_back and announced.refund_ref is not None:
        text = f"its channel refunded it ({announced.refund_ref}), and the customer was to keep it"
        yield Finding(F.ALREADY_REFUNDED, text)
    elif announced.comes_back and announced.refund_ref is not None:
        yield Finding(F.REFUND_MADE, f"its channel refunded it: {announced.refund_ref}")
    elif announced.comes_back and announced.state != "requested":
        yield Finding(F.ANNOUNCED, f"its channel awaits it: return {announced.ref}")


def _of_order(tx: Transaction, known: Known, unit: UnitViewRow) -> Iterator[Finding]:
    question, sale = known.question, known.sale
    expected = known.expected
    if expected is not None and expected["id"] != unit["product_id"]:
        text = f"this is a {unit['sku']}, and a {expected['sku']} is expected"
        yield Finding(F.PRODUCT_MISMATCH, text)
    if question.order is None or (sale is not None and _is_named(known, sale)):
        return
    if any(_is_named(known, each) for each in known.story.sales):
        yield Finding(F.ALREADY_RETURNED, "it came back from that order, and was sold anew")
        return
    receipt = tx.value(
        "SELECT COUNT(*) FROM event WHERE document_ref = :ref "
        "AND action IN ('ship', 'sell', 'collect')",
        ref=question.order,
    )
    if not known.named and not receipt:
        yield Finding(F.UNKNOWN_ORDER, f"nothing was sold under {question.order!r}")
        return
    yield Finding(F.SWAPPED, f"this is not the unit that was sold on {question.order}")
    if known.named_lines and not any(
        line["product_id"] == unit["product_id"] for line in known.named_lines
    ):
        text = f"this is a {unit['sku']}, which the order does not have"
        yield Finding(F.PRODUCT_MISMATCH, text)


def _is_named(known: Known, sale: Sale) -> bool:
    if sale.document_ref is not None and sale.document_ref == known.question.order:
        return True
    return sale.order is not None and sale.order["id"] in {row["id"] for row in known.named}


def _of_sale(known: Known) -> Iterator[Finding]:
    sale = known.sale
    if sale is None:
        if known.unit is not None and Status(known.unit["status"]) in WITH_CUSTOMER:
            yield Finding(F.NOT_SOLD_BY_US, "the unit is known, and was never sold by us")
        return
    if known.buyer_matches is False:
        yield Finding(F.BUYER_MISMATCH, "another customer bought it")
    here = known.question.location["code"]
    if sale.order is not None and sale.place != here:
        yield Finding(F.SOLD_ELSEWHERE, f"sold by {sale.order['channel_name']}")
    elif sale.place is not None and sale.place != here:
        yield Finding(F.SOLD_ELSEWHERE, f"sold at {sale.place}")
    if known.ends_on is not None and known.days is not None:
        allowed = (known.ends_on - sale.sold_on).days
        if known.days > allowed:
            text = f"sold {known.days} days ago; it may come back within {allowed}"
            yield Finding(F.OUTSIDE_WINDOW, text)


def _words(status: Status) -> str:
    return status.replace("_", " ")


def evidence_of(known: Known, context: CommandContext) -> list[dict[str, Any]]:
    """Return every fact behind the decision, with its source and time."""
    now, unit, sale = context.now, known.unit, known.sale
    facts = [_fact("read", known.question.identifier, "scan", now)]
    if unit is not None:
        changed = moment(unit["changed_at"])
        facts += [
            _fact("serial", unit["serial"], "ledger", changed),
            _fact("status", unit["status"], f"ledger, version {unit['version']}", changed),
            _fact("product", unit["sku"], "catalogue", now),
        ]
        facts += [_fact("hold", kind, "ledger", now) for kind in sorted(known.holds)]
    if sale is not None:
        at, event = moment(sale.occurred_at), f"event {sale.event_id}"
        facts.append(_fact("sold", at.isoformat(), event, at))
        if sale.document_ref is not None:
            facts.append(_fact("receipt", sale.document_ref, event, at))
        if sale.order is not None:
            source, placed = f"channel {sale.channel}", moment(sale.order["placed_at"])
            facts.append(_fact("order", sale.order["number"], source, placed))
            facts.append(_fact("buyer", sale.order["customer_ref"], source, placed))
        if known.announced is not None:
            source = f"channel {sale.channel}"
            facts.append(_fact("announced return", known.announced.ref, source, now))
        paid = None if sale.price is None else f"{sale.price} {sale.currency or ''}".strip()
        knows = f"{sale.channel or 'the counter'} knows it"
        origin = knows if paid is None else f"channel {sale.channel}"
        facts.append(_fact("price", paid, origin, at))
    if known.ends_on is not None:
        facts.append(_fact("may come back until", known.ends_on.isoformat(), "catalogue", now))
    return facts


def _fact(name: str, value: str | None, source: str, at: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "source": source, "at": at.isoformat()}
