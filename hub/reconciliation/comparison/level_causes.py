"""Causes of a wrong quantity, derived from records: pushes, orders and returns of the channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from hub.clock import moment
from hub.reconciliation.kinds import Cause, Proof
from hub.reconciliation.rows import BoundLevel
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync.push_log import PushOutcome

PROOFS_MAX = 10  # records that one difference names


@dataclass(frozen=True, slots=True)
class WrongLevel:
    """A level whose channel shows `seen`; `desired` is to be shown."""

    level: BoundLevel
    seen: int
    desired: int


@dataclass(frozen=True, slots=True)
class Explained:
    """The cause of a wrong quantity with its evidence."""

    cause: Cause
    evidence: str
    proofs: tuple[Proof, ...] = ()


class _Pushed(TypedDict):
    id: str
    key: str
    at: int


class _Moved(TypedDict):
    product_id: str
    id: str
    name: str
    at: int
    quantity: int


Moves = dict[str, list[_Moved]]


@dataclass(frozen=True, slots=True)
class _Moves:
    """What moved units of the wrong products on the channel, by product."""

    sold: Moves
    restocked: Moves
    gone: Moves  # orders that the channel does not find any more


def explain(
    tx: Transaction, channel: ChannelRow, wrong: Sequence[WrongLevel]
) -> dict[str, Explained]:
    """Return the cause of each wrong level, by its listing."""
    if not wrong:
        return {}
    since = min(each.level["acknowledged_at"] or 0 for each in wrong)
    products = sorted({each.level["product_id"] for each in wrong})
    pushed = _pushed(tx, channel, wrong, since)
    sold = _grouped(tx, _SOLD, channel, products, since)
    restocked = _grouped(tx, _RESTOCKED, channel, products, since)
    gone = _grouped(tx, _GONE, channel, products, 0)
    return {
        each.level["listing_id"]: _explain(
            each, pushed.get(each.level["listing_id"]), _Moves(sold, restocked, gone)
        )
        for each in wrong
    }


_SOLD = (
    "SELECT order_line.product_id, sales_order.id, sales_order.number AS name, "
    "sales_order.placed_at AS at, order_line.quantity FROM sales_order "
    "JOIN order_line ON order_line.order_id = sales_order.id "
    "WHERE sales_order.channel_id = :channel AND order_line.product_id IN (:products...) "
    "AND sales_order.placed_at >= :since AND sales_order.state <> 'cancelled' "
    "ORDER BY sales_order.placed_at, sales_order.id"
)
_RESTOCKED = (
    "SELECT order_line.product_id, channel_return.id, channel_return.ref AS name, "
    "channel_return.remote_updated_at AS at, channel_return_line.quantity FROM channel_return "
    "JOIN channel_return_line ON channel_return_line.return_id = channel_return.id "
    "JOIN order_line ON order_line.order_id = channel_return.order_id "
    "AND order_line.ref = channel_return_line.order_line_ref "
    "WHERE channel_return.channel_id = :channel AND order_line.product_id IN (:products...) "
    "AND channel_return.remote_updated_at >= :since AND channel_return_line.restock "
    "ORDER BY channel_return.remote_updated_at, channel_return.id"
)

_GONE = (
    "SELECT order_line.product_id, sales_order.id, sales_order.number AS name, "
    "observed_order.gone_since AS at, order_line.quantity FROM observed_order "
    "JOIN sales_order ON sales_order.channel_id = observed_order.channel_id "
    "AND sales_order.ref = observed_order.ref "
    "JOIN order_line ON order_line.order_id = sales_order.id "
    "WHERE observed_order.channel_id = :channel AND observed_order.scope = 'orders' "
    "AND order_line.product_id IN (:products...) AND observed_order.gone_since > :since "
    "AND sales_order.state IN ('open', 'pending', 'draft') "
    "ORDER BY observed_order.gone_since, sales_order.id"
)


def _grouped(
    tx: Transaction, statement: str, channel: ChannelRow, products: Sequence[str], since: int
) -> Moves:
    found: Moves = {}
    for row in tx.rows_as(
        _Moved, statement, channel=channel["id"], products=list(products), since=since
    ):
        found.setdefault(row["product_id"], []).append(row)
    return found


def _pushed(
    tx: Transaction, channel: ChannelRow, wrong: Sequence[WrongLevel], since: int
) -> dict[str, _Pushed]:
    """Return the newest accepted push of each level."""
    rows = tx.rows_as(
        _Pushed,
        "SELECT id, key, at FROM push_attempt WHERE channel_id = :channel "
        "AND subject IN (:skus...) AND topic = 'level' AND outcome = :accepted AND at >= :since "
        "ORDER BY id",
        channel=channel["id"],
        since=since,
        skus=sorted({each.level["sku"] for each in wrong}),
        accepted=str(PushOutcome.ACCEPTED),
    )
    return {row["key"].partition(":")[0]: row for row in rows}


def _explain(wrong: WrongLevel, pushed: _Pushed | None, moves: _Moves) -> Explained:
    level, seen = wrong.level, wrong.seen
    sent, at = level["acknowledged"], level["acknowledged_at"]
    proofs = _push_proof(pushed, sent)
    if level["state"] == "dead":
        return Explained(
            Cause.FAILED_PUSH, f"The channel refused the last change: {level['last_error']}", proofs
        )
    if sent is None or at is None:
        return Explained(Cause.UNEXPLAINED, "The channel was never sent a quantity.")
    since = f"{moment(at):%Y-%m-%d %H:%M:%S} UTC"
    if seen == sent:
        evidence = f"The channel still shows the {sent} that we set at {since}."
        return Explained(Cause.UNPUSHED_CHANGE, evidence, proofs)
    product, less = level["product_id"], sent - seen
    for fitting, change, cause, record, text in (
        (
            _after(moves.sold, product, at),
            less,
            Cause.CHANNEL_SALE,
            "sales_order",
            "deducted its own orders since",
        ),
        (
            _after(moves.restocked, product, at),
            -less,
            Cause.CHANNEL_RESTOCK,
            "channel_return",
            "put its own returns on sale since",
        ),
        (
            moves.gone.get(product, []),
            -less,
            Cause.CHANNEL_RESTOCK,
            "sales_order",
            "does not find orders any more whose units it offers again",
        ),
    ):
        if fitting and sum(each["quantity"] for each in fitting) == change:
            names = ", ".join(each["name"] for each in fitting[:PROOFS_MAX])
            evidence = f"We set {sent} at {since}; the channel {text}: {names}."
            return Explained(cause, evidence, proofs + _move_proofs(fitting, record))
    return Explained(
        Cause.FOREIGN_EDIT,
        f"We set {sent} at {since} and sent nothing since; no order and no return that came in "
        f"explains {seen}: somebody else changed it.",
        proofs,
    )


def _after(moves: Moves, product_id: str, at: int) -> list[_Moved]:
    return [each for each in moves.get(product_id, []) if each["at"] > at]


def _push_proof(pushed: _Pushed | None, sent: int | None) -> tuple[Proof, ...]:
    if pushed is None:
        return ()
    text = f"the channel accepted {sent}"
    return (Proof(record="push_attempt", id=pushed["id"], at=moment(pushed["at"]), text=text),)


def _move_proofs(moves: Sequence[_Moved], record: str) -> tuple[Proof, ...]:
    return tuple(
        Proof(
            record=record,
            id=each["id"],
            at=moment(each["at"]),
            text=f"{each['name']}: {each['quantity']}",
        )
        for each in moves[:PROOFS_MAX]
    )
