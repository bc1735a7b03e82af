"""Orders: what a channel sold becomes promises on named units, and what left is told to it.

Nothing here ever raises for an order that can not be served: it is kept, and a case is opened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hub import cases, channels, ledger, listings, outbox
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros, new_id
from hub.codes.identifiers import canonical
from hub.instruction import Instruction
from hub.journal import Verdict
from hub.lifecycle import Action
from hub.occasion import Document, Occasion
from hub.orders import allocation, guard, pre_orders
from hub.sql import Row, Transaction
from hub.units import Scan
from hub.vocabulary import CaptureMethod, Order, OrderLine, OrderState

TOPIC = "fulfillment"
LEFT = ("shipped", "sold")
BACKORDER_PAGES_MAX = 20  # looked through in one run


@dataclass(frozen=True, slots=True)
class Shipment:
    """How a parcel travels."""

    carrier: str | None = None
    tracking: str | None = None


def accept(tx: Transaction, occasion: Occasion, channel: Row, order: Order) -> str | None:
    """Work an order, as its channel states it now, into the ledger; return its id.

    An older state than the one known is ignored (None). The same state again changes nothing.
    """
    known = tx.row(
        "SELECT id, state, remote_updated_at FROM sales_order "
        "WHERE channel_id = :channel AND ref = :ref FOR UPDATE",
        channel=channel["id"],
        ref=order.ref,
    )
    if known is not None and micros(order.updated_at) < known["remote_updated_at"]:
        return None
    occasion = replace(
        occasion, document=Document("inv", order.number), captured_by=CaptureMethod.API
    )
    served = _served(tx, known)
    order_id = _keep(tx, occasion, channel, order)
    kept = [(line, _keep_line(tx, channel, order_id, line)) for line in order.lines]
    site = None if order.at_counter else _site(tx, occasion, channel, order, kept)
    for line, row in kept:
        if row["product_id"] is None:
            _unmapped(tx, occasion, channel, order, line)
        elif order.at_counter:
            _hand_over(tx, occasion, channel, order, line, row)
        elif line.quantity > served.get(line.ref, 0) or order.state is OrderState.CANCELLED:
            _promise(tx, occasion, channel, order, line, row, site)
    _drop_lines(tx, occasion, order, order_id)
    if known is None or micros(order.updated_at) > known["remote_updated_at"]:
        # What waits for a unit that is to come leaves the less for those who would order it.
        products = {row["product_id"] for _, row in kept if row["product_id"] is not None}
        listings.touch_early(tx, products, occasion.now)
    _close_if_done(tx, [order_id])
    return order_id


def _served(tx: Transaction, known: Row | None) -> dict[str, int]:
    """Return the quantities that an order was served with in full, by the lines' references.

    What came back since is a return: its channel states the order as before, and lacks nothing.
    """
    if known is None or known["state"] != OrderState.FULFILLED:
        return {}
    rows = tx.rows("SELECT ref, quantity FROM order_line WHERE order_id = :id", id=known["id"])
    return {row["ref"]: row["quantity"] for row in rows}


def _keep(tx: Transaction, occasion: Occasion, channel: Row, order: Order) -> str:
    row = tx.row(
        "INSERT INTO sales_order(id, channel_id, ref, number, state, remote_state, at_counter, "
        "customer_ref, placed_at, remote_updated_at, recorded_at) VALUES(:id, :channel, :ref, "
        ":number, :state, :remote_state, :at_counter, :customer, :placed_at, :updated_at, :now) "
        "ON CONFLICT(channel_id, ref) DO UPDATE SET "
        "state = CASE WHEN sales_order.state = 'fulfilled' AND excluded.state <> 'cancelled' "
        "THEN sales_order.state ELSE excluded.state END, "
        "remote_state = excluded.remote_state, "
        "remote_updated_at = excluded.remote_updated_at RETURNING id",
        id=new_id(),
        channel=channel["id"],
        ref=order.ref,
        number=order.number[:100],
        # Fulfilled is what our own units say, not what the channel says.
        state=str(OrderState.OPEN if order.state is OrderState.FULFILLED else order.state),
        remote_state=order.remote_state[:100],
        at_counter=order.at_counter,
        customer=order.customer_ref,
        placed_at=micros(order.placed_at),
        updated_at=micros(order.updated_at),
        now=micros(occasion.now),
    )
    assert row is not None
    return str(row["id"])


def _keep_line(tx: Transaction, channel: Row, order_id: str, line: OrderLine) -> Row:
    product_id = tx.value(
        "SELECT product_id FROM listing WHERE channel_id = :channel AND sku = :sku",
        channel=channel["id"],
        sku=line.sku,
    ) or tx.value("SELECT id FROM product WHERE sku = :sku", sku=line.sku)
    row = tx.row(
        "INSERT INTO order_line(id, order_id, ref, sku, title, product_id, quantity, "
        "remote_fulfilled) VALUES(:id, :order_id, :ref, :sku, :title, :product, :quantity, "
        ":fulfilled) ON CONFLICT(order_id, ref) DO UPDATE SET sku = excluded.sku, "
        "title = excluded.title, product_id = excluded.product_id, quantity = excluded.quantity, "
        "remote_fulfilled = excluded.remote_fulfilled RETURNING *",
        id=new_id(),
        order_id=order_id,
        ref=line.ref,
        sku=line.sku,
        title=line.title[:300],
        product=product_id,
        quantity=line.quantity,
        fulfilled=line.fulfilled,
    )
    assert row is not None
    return row


def _bound(tx: Transaction, line_id: str) -> list[Row]:
    """Return the units of a line: promised, on their way out, or gone."""
    return tx.rows(
        "SELECT id, status, serial_canonical, serial FROM unit WHERE order_line_id = :line "
        "AND (promised_to IS NOT NULL OR status IN ('shipped', 'sold')) ORDER BY received_at, id",
        line=line_id,
    )


def _site(
    tx: Transaction,
    occasion: Occasion,
    channel: Row,
    order: Order,
    kept: Sequence[tuple[OrderLine, Row]],
) -> str | None:
    """Return the site that can serve all that an order still lacks, if one can."""
    if order.state is OrderState.CANCELLED:
        return None
    wanted: dict[str, int] = {}
    for line, row in kept:
        if row["product_id"] is not None:
            lacking = max(0, line.quantity - len(_bound(tx, row["id"])))
            wanted[row["product_id"]] = wanted.get(row["product_id"], 0) + lacking
    return allocation.whole_site(tx, occasion, channel, wanted)


def _promise(
    tx: Transaction,
    occasion: Occasion,
    channel: Row,
    order: Order,
    line: OrderLine,
    row: Row,
    site: str | None = None,
) -> None:
    """Bring the promises of a line to its quantity: allocate what lacks, release a surplus."""
    bound = _bound(tx, row["id"])
    wanted = 0 if order.state is OrderState.CANCELLED else line.quantity
    subject = f"{order.ref}/{line.ref}"
    if len(bound) > wanted:
        free = [unit["id"] for unit in bound if unit["status"] not in LEFT]
        _release(tx, occasion, free[: len(bound) - wanted])
    lacking = wanted - len(bound)
    if lacking > 0:
        lacking -= allocate(tx, occasion, channel, row, lacking, order.number, site=site)
    if lacking > 0 and not pre_orders.covers(tx, channel, row["product_id"]):
        summary = f"Order {order.number} needs {lacking} more of {line.sku} than there are."
        finding = Finding(
            kind=CaseKind.OVERSOLD,
            subject=subject,
            channel_id=channel["id"],
            severity=Severity.HIGH,
            summary=summary,
            details={"order": order.number, "sku": line.sku, "lacking": lacking},
        )
        cases.report(tx, finding, occasion.now)
    else:
        cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], occasion.now)


def allocate(
    tx: Transaction,
    occasion: Occasion,
    channel: Row,
    line: Row,
    quantity: int,
    reference: str,
    *,
    site: str | None = None,
) -> int:
    """Promise available units to an order line by its product's rule; return how many there were.

    Units at `site` come first; where none is named, those of a site that has them all.
    """
    product_id = line["product_id"]
    if site is None:
        site = allocation.whole_site(tx, occasion, channel, {product_id: quantity})
    chosen = allocation.choose(tx, occasion, channel, product_id, quantity, site)
    if not chosen:
        return 0
    verdicts = ledger.record(
        tx,
        occasion,
        new_id(),
        Instruction(
            action=Action.ALLOCATE,
            line=line["id"],
            hold_reference=reference,
            details={"channel": channel["code"]},
        ),
        [Scan(unit_id) for unit_id in chosen],
    )
    return sum(verdict.accepted for verdict in verdicts)


def _release(tx: Transaction, occasion: Occasion, unit_ids: Sequence[str]) -> None:
    if unit_ids:
        ledger.record(
            tx,
            replace(occasion, reason="order changed"),
            new_id(),
            Instruction(action=Action.RELEASE),
            [Scan(unit_id) for unit_id in unit_ids],
        )


def _hand_over(
    tx: Transaction, occasion: Occasion, channel: Row, order: Order, line: OrderLine, row: Row
) -> None:
    """Record what a counter sold: the serials that it names, a promise for those it does not."""
    if order.state is not OrderState.FULFILLED:
        _promise(tx, occasion, channel, order, line, row)
        return
    sold = {unit["serial_canonical"] for unit in _bound(tx, row["id"])}
    for serial in line.serials:
        if canonical(serial) not in sold:
            _sell(tx, occasion, channel, order, line, row, serial)
    # What left without a serial is held back, so that no other channel sells it meanwhile.
    _promise(tx, occasion, channel, order, line, row)
    missing = line.quantity - len(line.serials)
    subject = f"{order.ref}/{line.ref}"
    if missing <= 0:
        cases.settle(tx, CaseKind.MISSING_CAPTURE, subject, channel["id"], occasion.now)
        return
    finding = Finding(
        kind=CaseKind.MISSING_CAPTURE,
        subject=subject,
        channel_id=channel["id"],
        summary=f"{missing} of {line.sku} left on {order.number} without a serial being read.",
        details={"order": order.number, "sku": line.sku, "missing": missing},
    )
    cases.report(tx, finding, occasion.now)


def _sell(
    tx: Transaction,
    occasion: Occasion,
    channel: Row,
    order: Order,
    line: OrderLine,
    row: Row,
    serial: str,
) -> None:
    from_channel = {"channel": channel["code"]}
    (verdict,) = ledger.record(
        tx,
        occasion,
        new_id(),
        Instruction(action=Action.SELL, line=row["id"], details=from_channel),
        [Scan(serial, sku=_our_sku(tx, row))],
    )
    if verdict.accepted:
        cases.settle(tx, CaseKind.UNKNOWN_SERIAL, serial, channel["id"], occasion.now)
        cases.settle(tx, CaseKind.WRONG_STATUS, serial, channel["id"], occasion.now)
        return
    kind = CaseKind.WRONG_STATUS if verdict.unit_id else CaseKind.UNKNOWN_SERIAL
    finding = Finding(
        kind=kind,
        subject=serial,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"{channel['name']} sold {serial} on {order.number}, but {verdict.message}.",
        details={"order": order.number, "sku": line.sku, "code": verdict.code},
    )
    cases.report(tx, finding, occasion.now)


def _our_sku(tx: Transaction, row: Row) -> str:
    return str(tx.value("SELECT sku FROM product WHERE id = :id", id=row["product_id"]))


def _unmapped(
    tx: Transaction, occasion: Occasion, channel: Row, order: Order, line: OrderLine
) -> None:
    finding = Finding(
        kind=CaseKind.UNMAPPED_LISTING,
        subject=line.sku or line.title,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"Order {order.number} asks for {line.sku or line.title!r}, which is no product.",
        details={"order": order.number, "line": line.ref, "quantity": line.quantity},
    )
    cases.report(tx, finding, occasion.now)


def _drop_lines(tx: Transaction, occasion: Occasion, order: Order, order_id: str) -> None:
    """Release the units of lines that the order no longer has."""
    for row in tx.rows("SELECT * FROM order_line WHERE order_id = :order", order=order_id):
        if row["ref"] in {line.ref for line in order.lines}:
            continue
        free = [unit["id"] for unit in _bound(tx, row["id"]) if unit["status"] not in LEFT]
        _release(tx, occasion, free)
        tx.run("UPDATE order_line SET quantity = 0 WHERE id = :id", id=row["id"])
        if row["product_id"] is not None and row["quantity"]:
            listings.touch_early(tx, [row["product_id"]], occasion.now)


def _close_if_done(tx: Transaction, order_ids: Iterable[str]) -> None:
    """Mark orders fulfilled when as many units left as their lines ask for."""
    tx.run(
        "UPDATE sales_order SET state = 'fulfilled' WHERE id IN (:ids...) "
        "AND state IN ('open', 'pending') AND NOT EXISTS (SELECT 1 FROM order_line "
        "WHERE order_line.order_id = sales_order.id AND order_line.quantity > "
        "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
        "AND unit.status IN ('shipped', 'sold')))",
        ids=list(order_ids),
    )


def ship(
    tx: Transaction,
    occasion: Occasion,
    command_id: str,
    scans: Sequence[Scan],
    shipment: Shipment,
    *,
    line: str | None = None,
) -> list[Verdict]:
    """Record that units left, and tell the channel of each order which serials left.

    A unit only leaves on the line that it is promised to, and only what that line asks for.
    """
    verdicts = guard.record(
        tx,
        occasion,
        command_id,
        Instruction(
            action=Action.SHIP,
            line=line,
            details={"carrier": shipment.carrier, "tracking": shipment.tracking},
        ),
        scans,
    )
    left = [verdict.unit_id for verdict in verdicts if verdict.accepted and verdict.unit_id]
    tell_fulfillment(tx, occasion, left, shipment, reference=command_id)
    return verdicts


def tell_fulfillment(
    tx: Transaction,
    occasion: Occasion,
    unit_ids: Sequence[str],
    shipment: Shipment,
    *,
    reference: str,
) -> None:
    """Queue one fulfillment for each order that the units belong to."""
    rows = tx.rows(
        "SELECT unit.serial, order_line.ref AS line_ref, sales_order.id AS order_id, "
        "sales_order.ref AS order_ref, sales_order.channel_id FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.id IN (:ids...) ORDER BY sales_order.id, order_line.ref, unit.id",
        ids=list(unit_ids),
    )
    by_order: dict[str, list[Row]] = {}
    for row in rows:
        by_order.setdefault(row["order_id"], []).append(row)
    facts = []
    for order_id, units in by_order.items():
        if not channels.can(channels.by_id(tx, units[0]["channel_id"]), "push_fulfillment"):
            continue
        lines: dict[str, list[str]] = {}
        for unit in units:
            lines.setdefault(unit["line_ref"], []).append(unit["serial"])
        facts.append(
            outbox.Fact(
                channel_id=units[0]["channel_id"],
                topic=TOPIC,
                subject=order_id,
                key=f"{TOPIC}:{reference}:{order_id}",
                payload={
                    "reference": f"{reference}-{order_id[-12:]}",
                    "order_ref": units[0]["order_ref"],
                    "lines": lines,
                    "carrier": shipment.carrier,
                    "tracking": shipment.tracking,
                    "shipped_at": micros(occasion.now),
                },
            )
        )
    outbox.put(tx, facts, occasion.now)
    _close_if_done(tx, by_order)


def retry_backorders(tx: Transaction, occasion: Occasion, *, limit: int) -> int:
    """Try to promise units to open lines that lack some; return how many lines were tried.

    Once a channel finds no more of a product its later lines are passed over, so that lines which
    can not be served never keep those from being tried that can.
    """
    exhausted: set[tuple[str, str]] = set()
    tried, last = 0, (0, "")
    for _ in range(BACKORDER_PAGES_MAX):
        rows = _back_ordered(tx, last, limit)
        for row in rows:
            key = (row["channel_id"], row["product_id"])
            if key not in exhausted:
                tried += 1
                if not _serve(tx, occasion, row):
                    exhausted.add(key)
        if len(rows) < limit or tried >= limit:
            break
        last = (rows[-1]["placed_at"], rows[-1]["id"])
    return tried


def _serve(tx: Transaction, occasion: Occasion, row: Row) -> bool:
    """Promise all that a line lacks, if there is as much; say whether there was."""
    channel = channels.by_id(tx, row["channel_id"])
    lacking = row["quantity"] - len(_bound(tx, row["id"]))
    if lacking != allocate(tx, occasion, channel, row, lacking, row["number"]):
        return False
    subject = f"{row['order_ref']}/{row['ref']}"
    cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], occasion.now)
    return True


def _back_ordered(tx: Transaction, last: tuple[int, str], limit: int) -> list[Row]:
    """Return lines behind the last one, in the order in which they are served."""
    return tx.rows(
        "SELECT order_line.*, sales_order.channel_id, sales_order.number, sales_order.placed_at, "
        "sales_order.ref AS order_ref FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE sales_order.state IN ('open', 'pending') AND order_line.product_id IS NOT NULL "
        "AND (sales_order.placed_at, order_line.id) > (:placed, :line) "
        "AND order_line.quantity > (SELECT COUNT(*) FROM unit "
        "WHERE unit.order_line_id = order_line.id "
        "AND (unit.promised_to IS NOT NULL OR unit.status IN ('shipped', 'sold'))) "
        "AND EXISTS (SELECT 1 FROM unit WHERE unit.product_id = order_line.product_id "
        "AND unit.status = 'in_stock' AND unit.promised_to IS NULL AND unit.blocks = 0 "
        "AND COALESCE(unit.client_id, '') = COALESCE(channel.client_id, '')) "
        "ORDER BY sales_order.placed_at, order_line.id LIMIT :limit",
        placed=last[0],
        line=last[1],
        limit=limit,
    )
