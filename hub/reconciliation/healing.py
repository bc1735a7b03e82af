"""Healing of differences: the fix is queued, sent to the channel, and then looked for there.

Healing never writes to a channel by itself: it queues the same work that a change of the ledger
would have queued. A difference is healed when a comparison after that sees both sides agree, as
`hub.reconciliation.findings` records.
"""

from datetime import datetime

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, StepNotAllowed
from hub.reconciliation import fixes, questions
from hub.reconciliation.kinds import CHOICES, Fix, Kind, State
from hub.reconciliation.rows import Identified, SentFact
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction

# Their effect on the ledger is immediate; the channel is sent nothing.
AT_ONCE = frozenset(
    {Fix.ACCEPT_ORDER, Fix.ACCEPT_RETURN, Fix.CANCEL_ORDER, Fix.RENAME_LISTING, Fix.UNBIND_LISTING}
)


def get(tx: Transaction, difference_id: str) -> ReconciliationDifferenceRow:
    """Return a difference by its id; it must exist."""
    row = tx.row_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id = :id",
        id=difference_id,
    )
    assert row is not None  # differences are never deleted
    return row


def by_id(tx: Transaction, ids: list[str]) -> list[ReconciliationDifferenceRow]:
    """Return differences by their ids."""
    return tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id IN (:ids...)",
        ids=ids,
    )


def healed(tx: Transaction, ids: list[str]) -> int:
    """Count the differences that were seen to agree after their fix."""
    found = tx.value(
        "SELECT COUNT(*) FROM reconciliation_difference WHERE id IN (:ids...) AND state = 'healed'",
        ids=ids,
    )
    return int(found)


def being_sent(tx: Transaction, ids: list[str], now: datetime) -> int:
    """Count the differences whose fix a worker sends to the channel at this moment."""
    found = tx.value(
        "SELECT COUNT(*) FROM reconciliation_difference AS difference WHERE id IN (:ids...) "
        "AND state = 'healing' AND sent_at IS NULL AND (EXISTS (SELECT 1 FROM listing_level "
        "WHERE listing_level.listing_id = difference.listing_id AND lease_until > :now) "
        "OR EXISTS (SELECT 1 FROM outbox WHERE outbox.channel_id = difference.channel_id "
        "AND outbox.subject IN (difference.order_id, difference.unit_id) "
        "AND outbox.state = 'leased' AND outbox.lease_until > :now))",
        ids=ids,
        now=micros(now),
    )
    return int(found)


def chosen(difference: ReconciliationDifferenceRow, choice: Fix | None) -> Fix:
    """Return the fix that a person chose, or the proposed one.

    Raises InvalidInput for a fix that does not fit the kind of the difference.
    """
    proposed = Fix(difference["fix"])
    if choice is None or choice is proposed:
        return proposed
    fitting = CHOICES.get(Kind(difference["kind"]), ())
    if choice not in fitting:
        names = ", ".join([proposed, *fitting])
        raise InvalidInput(f"{choice} does not settle this difference: {names}", field="fix")
    return choice


def heal(
    tx: Transaction,
    context: CommandContext,
    difference_id: str,
    *,
    choice: Fix | None = None,
    rule: str | None = None,
) -> None:
    """Queue the fix of a difference; `rule` names the rule that applies it, if no person does.

    The caller fixes orders: it reads them again from the channel. Raises StepNotAllowed for a
    difference that is settled, or that only a person can settle; InvalidInput for a choice that
    does not fit.
    """
    difference = _live(tx, difference_id)
    fix = chosen(difference, choice)
    _apply(tx, context, difference, fix)
    tx.run(
        "UPDATE reconciliation_difference SET state = 'healing', resolved_by = :actor, "
        "fix = :fix, fix_rule = :rule, sent_at = :sent WHERE id = :id",
        actor=context.actor,
        fix=str(fix),
        rule=rule,
        sent=micros(context.now) if fix in AT_ONCE else None,
        id=difference["id"],
    )
    if rule is None:
        questions.decided(tx, context, [difference], f"The fix {fix} was applied.")


def _apply(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow, fix: Fix
) -> None:
    if fix is Fix.ASK:
        raise StepNotAllowed("only a person can settle this difference", allowed=["dismiss"])
    apply = fixes.FIXES.get(fix)
    if apply is not None:  # otherwise the caller applies it
        apply(tx, context, difference)


def healable(
    tx: Transaction, channel_id: str, fix: Fix, kind: Kind | None = None, *, limit: int
) -> list[str]:
    """Return the ids of the open differences of a channel that a fix settles, oldest first.

    `kind` limits them to one kind. Raises InvalidInput for a fix that is applied order by order, or
    by a person only.
    """
    if fix in (Fix.ASK, Fix.ACCEPT_ORDER, Fix.ACCEPT_RETURN):
        raise InvalidInput(f"{fix} is not applied to many at once", field="fix")
    wanted = "" if kind is None else " AND kind = :kind"
    rows = tx.rows_as(
        Identified,
        "SELECT id FROM reconciliation_difference WHERE channel_id = :channel "
        f"AND (fix = :fix OR kind IN (:kinds...)) AND state = 'open'{wanted} "
        "ORDER BY id LIMIT :limit",
        channel=channel_id,
        fix=str(fix),
        kinds=[str(each) for each, fitting in CHOICES.items() if fix in fitting],
        limit=limit,
        **({} if kind is None else {"kind": str(kind)}),
    )
    return [row["id"] for row in rows]


def _live(tx: Transaction, difference_id: str) -> ReconciliationDifferenceRow:
    """Lock and return an unsettled difference; raises StepNotAllowed for a settled one."""
    row = tx.row_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id = :id FOR UPDATE",
        id=difference_id,
    )
    assert row is not None  # differences are never deleted
    if row["state"] not in {State.OPEN, State.HEALING}:
        raise StepNotAllowed(f"the difference is {row['state']}", allowed=[])
    return row


def refuse(tx: Transaction, difference_id: str, error: str) -> None:
    """Leave a difference open whose fix was refused, with the reason."""
    tx.run(
        "UPDATE reconciliation_difference SET state = 'open', heal_error = :error "
        "WHERE id = :id AND state IN ('open', 'healing')",
        error=error[:500],
        id=difference_id,
    )


def sent_listing(tx: Transaction, listing_id: str, now: datetime) -> None:
    """Record that the channel took the level that heals differences of a listing."""
    tx.run(
        "UPDATE reconciliation_difference SET sent_at = :now WHERE listing_id = :listing "
        "AND state = 'healing'",
        now=micros(now),
        listing=listing_id,
    )


def refused_listing(tx: Transaction, listing_id: str, error: str) -> None:
    """Open the differences of a listing again whose level the channel refused."""
    tx.run(
        "UPDATE reconciliation_difference SET state = 'open', heal_error = :error "
        "WHERE listing_id = :listing AND state = 'healing'",
        error=error[:500],
        listing=listing_id,
    )


def sent_fact(tx: Transaction, fact: SentFact, now: datetime) -> None:
    """Record that the channel took the fact that heals differences of an order or a unit."""
    tx.run(
        "UPDATE reconciliation_difference SET sent_at = :now WHERE channel_id = :channel "
        "AND state = 'healing' AND (order_id = :subject OR unit_id = :subject)",
        now=micros(now),
        channel=fact["channel_id"],
        subject=fact["subject"],
    )


def refused_fact(tx: Transaction, fact: SentFact, error: str) -> None:
    """Open the differences of an order or a unit again whose fact the channel refused."""
    tx.run(
        "UPDATE reconciliation_difference SET state = 'open', heal_error = :error "
        "WHERE channel_id = :channel AND state = 'healing' "
        "AND (order_id = :subject OR unit_id = :subject)",
        error=error[:500],
        channel=fact["channel_id"],
        subject=fact["subject"],
    )


def dismiss(
    tx: Transaction,
    context: CommandContext,
    difference: ReconciliationDifferenceRow,
    reason: str,
) -> None:
    """Dismiss a difference that a person explained, and close its case in that person's words.

    It holds until one of the two claims changes. Raises StepNotAllowed if it is settled.
    """
    known = _live(tx, difference["id"])
    tx.run(
        "UPDATE reconciliation_difference SET state = 'dismissed', resolved_by = :actor, "
        "resolution = :reason, closed_at = :now WHERE id = :id",
        actor=context.actor,
        reason=reason,
        now=micros(context.now),
        id=known["id"],
    )
    questions.decided(tx, context, [known], reason)


def dismiss_all(
    tx: Transaction,
    context: CommandContext,
    channel_id: str,
    kind: Kind,
    reason: str,
    *,
    limit: int,
) -> int:
    """Dismiss the open differences of a channel that are of one kind; return their number."""
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE channel_id = :channel AND kind = :kind "
        "AND state = 'open' ORDER BY id LIMIT :limit",
        channel=channel_id,
        kind=str(kind),
        limit=limit,
    )
    tx.run(
        "UPDATE reconciliation_difference SET state = 'dismissed', resolved_by = :actor, "
        "resolution = :reason, closed_at = :now WHERE id IN (:ids...)",
        actor=context.actor,
        reason=reason,
        now=micros(context.now),
        ids=[row["id"] for row in rows],
    )
    questions.decided(tx, context, rows, reason)
    return len(rows)
