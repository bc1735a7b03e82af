"""Fix plans: what the fixes of open differences would do, before any of them is applied."""

from dataclasses import dataclass
from datetime import datetime

import orjson

from hub.reconciliation import fix_rules
from hub.reconciliation.kinds import Fix
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels

PLANNED_MAX = 1_000  # differences of one plan, the oldest first

_EFFECTS = {
    Fix.BIND_LISTING: "bind {subject} on {channel} to our product and send its quantity",
    Fix.BIND_NEAR_MATCH: "bind {subject} on {channel} to our product of nearly the same SKU and "
    "send its quantity",
    Fix.REBIND_LISTING: "bind {subject} to its new reference on {channel} and send its quantity",
    Fix.RENAME_LISTING: "use the SKU {subject} for our listing on {channel}",
    Fix.SELL_ON_ONE: "bind the copy of {subject} on {channel} and send it 0",
    Fix.SHARE_FIGURE: "bind the copy of {subject} on {channel} and divide our figure among all",
    Fix.UNBIND_LISTING: "end the binding of {subject} on {channel}",
    Fix.ACCEPT_ORDER: "read order {subject} of {channel} again and accept it as it is there",
    Fix.CANCEL_ORDER: "cancel order {subject} of {channel} here and free its units",
    Fix.PUSH_FULFILLMENT: "send {channel} again what left for order {subject}",
    Fix.REGISTER_AGAIN: "send {channel} the registration of {subject} again",
    Fix.ASK: "a person decides about {subject} on {channel}",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A difference with the fix that the policy would apply; None: it asks a person."""

    difference: ReconciliationDifferenceRow
    fix: Fix | None
    rule: str
    effect: str


def effect(difference: ReconciliationDifferenceRow, fix: Fix, channel: str) -> str:
    """Return what a fix does, as a sentence without its end."""
    if fix is Fix.PUSH_LEVEL:
        ours = orjson.loads(difference["ledger_claim"])["quantity"]
        surplus = difference["surplus"] or 0
        change = f"{abs(surplus)} {'less' if surplus > 0 else 'more'}"
        return f"send {channel} {ours} of {difference['subject']}: {change} than it shows"
    return _EFFECTS[fix].format(subject=difference["subject"], channel=channel)


def plan(tx: Transaction, code: str, now: datetime) -> list[Planned]:
    """Return what the policy would do about the open differences of a channel, oldest first.

    Raises UnknownReference for an unknown channel.
    """
    channel = channels.get(tx, code)
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE channel_id = :channel AND state = 'open' "
        "ORDER BY id LIMIT :limit",
        channel=channel["id"],
        limit=PLANNED_MAX,
    )
    return [
        Planned(
            each.difference,
            each.fix,
            each.rule,
            effect(each.difference, each.fix or Fix.ASK, channel["name"]),
        )
        for each in fix_rules.decide(tx, channel, rows, now)
    ]
