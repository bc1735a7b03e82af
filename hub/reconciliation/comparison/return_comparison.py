"""Comparison of the returns and refunds of a channel with those of the ledger, batch by batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

import orjson

from hub.cases import Severity
from hub.clock import micros, moment
from hub.reconciliation.comparison import order_causes
from hub.reconciliation.comparison.observed_orders import GoneOrder
from hub.reconciliation.comparison.order_causes import Look, Records
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    Proof,
    Scope,
    different,
    in_flight,
    matched,
)
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelReturnLineRow, ChannelReturnRow
from hub.storage.sql import Transaction
from hub.sync import mappings, streams
from hub.vocabulary import Return, ReturnState

SCOPE = Scope.RETURNS
UNFINISHED = ("requested", "open")


@dataclass(frozen=True, slots=True)
class ReturnLook:
    """How returns are compared: `look` as for orders; `delivery` names a pulled return."""

    look: Look
    delivery: Callable[[Return], str]


class ReturnRef(TypedDict):
    """A return and its order, by the references of the channel."""

    ref: str
    order_ref: str


class _Unseen(TypedDict):
    ref: str
    seen_at: int


class _Claimed(TypedDict):
    about: str
    remote_claim: str


Amounts = Mapping[str, list[int]]  # quantity, refunded and taken off, by reference of the line


def compare(tx: Transaction, look: ReturnLook, batch: Sequence[Return]) -> list[Compared]:
    """Compare a batch of returns, each of another reference, in their order."""
    remotes = [mappings.returned(look.look.channel, each) for each in batch]
    known = _known(tx, look, [each.ref for each in remotes])
    lines = _lines(tx, known)
    strange = [
        each
        for each in remotes
        if each.ref not in known or not _agrees(each, known[each.ref], lines[each.ref])
    ]
    records = _records(tx, look, strange) if strange else None
    outcomes = {}
    for each in remotes:
        row = known.get(each.ref)
        if records is None or each not in strange:
            outcomes[each.ref] = matched(each.ref)
        elif look.look.at - each.updated_at < look.look.grace:
            outcomes[each.ref] = in_flight(each.ref)
        else:
            found = _difference(look, records, each, row, lines.get(each.ref, {}))
            outcomes[each.ref] = different(found)
    return [outcomes[each.ref] for each in remotes]


def _known(tx: Transaction, look: ReturnLook, refs: Sequence[str]) -> dict[str, ChannelReturnRow]:
    rows = tx.rows_as(
        ChannelReturnRow,
        "SELECT * FROM channel_return WHERE channel_id = :channel AND ref IN (:refs...)",
        channel=look.look.channel["id"],
        refs=list(refs),
    )
    return {row["ref"]: row for row in rows}


def _lines(tx: Transaction, known: Mapping[str, ChannelReturnRow]) -> dict[str, Amounts]:
    refs = {row["id"]: ref for ref, row in known.items()}
    found: dict[str, dict[str, list[int]]] = {ref: {} for ref in known}
    for row in tx.rows_as(
        ChannelReturnLineRow,
        "SELECT * FROM channel_return_line WHERE return_id IN (:ids...) ORDER BY id",
        ids=list(refs),
    ):
        amounts = (row["quantity"], row["refunded"], row["taken_off"])
        _add(found[refs[row["return_id"]]], row["order_line_ref"], amounts)
    return dict(found)


def _add(found: dict[str, list[int]], line: str, amounts: Sequence[int]) -> None:
    so_far = found.get(line, [0, 0, 0])
    found[line] = [one + more for one, more in zip(so_far, amounts, strict=True)]


def _amounts(remote: Return) -> Amounts:
    found: dict[str, list[int]] = {}
    for line in remote.lines:
        _add(found, line.order_line_ref, (line.quantity, line.refunded, line.taken_off))
    return found


def _agrees(remote: Return, known: ChannelReturnRow, lines: Amounts) -> bool:
    """Return whether both sides agree; a state that is older than the stored one proves nothing."""
    if micros(remote.updated_at) < known["remote_updated_at"]:
        return True
    return (
        str(remote.state) == known["state"]
        and remote.refunded == (known["refunded_at"] is not None)
        and _amounts(remote) == lines
    )


def _records(tx: Transaction, look: ReturnLook, remotes: Sequence[Return]) -> Records:
    keys = [each.order_ref for each in remotes] + [look.delivery(each) for each in remotes]
    return order_causes.read_deliveries(tx, look.look, keys, streams.RETURNS)


def _difference(
    look: ReturnLook,
    records: Records,
    remote: Return,
    known: ChannelReturnRow | None,
    lines: Amounts,
) -> Difference:
    cause = records.missed([remote.order_ref, look.delivery(remote)], remote.updated_at)
    changed = f"{remote.updated_at:%Y-%m-%d %H:%M:%S} UTC"
    here = {} if known is None else _claim(known["state"], known["refunded_at"] is not None, lines)
    said = "is not known here" if known is None else "differs from what is stored here"
    return Difference(
        kind=Kind.MISSING_RETURN if known is None else Kind.RETURN_STATE,
        about=remote.ref,
        subject=remote.ref,
        ledger=here,
        remote={
            "order_ref": remote.order_ref,
            **_claim(str(remote.state), remote.refunded, _amounts(remote)),
        },
        cause=cause.cause,
        evidence=f"Return {remote.ref} of order {remote.order_ref}, as its channel states it since "
        f"{changed}, {said}. {cause.text}",
        proofs=cause.proofs,
        fix=Fix.ACCEPT_RETURN,
        severity=Severity.HIGH if remote.refunded else Severity.MEDIUM,
        order_id=known["order_id"] if known is not None else None,
    )


def _claim(state: str, refunded: bool, lines: Amounts) -> dict[str, object]:
    return {"state": state, "refunded": refunded, "lines": dict(lines)}


def gone(tx: Transaction, look: ReturnLook, missing: Sequence[GoneOrder]) -> list[Compared]:
    """Compare returns that their channel does not have any more, in their order.

    Each is in flight until a second look, one grace after the first.
    """
    known = _known(tx, look, [each["ref"] for each in missing])
    outcomes = []
    for each in missing:
        row = known.get(each["ref"])
        if row is None or row["state"] == ReturnState.CANCELLED:
            outcomes.append(matched(each["ref"]))
        elif each["seen_at"] - each["gone_since"] < look.look.grace // timedelta(microseconds=1):
            outcomes.append(in_flight(each["ref"]))
        else:
            outcomes.append(different(_unknown_return(row, each)))
    return outcomes


def _unknown_return(known: ChannelReturnRow, missing: GoneOrder) -> Difference:
    first, stated = moment(missing["gone_since"]), moment(known["remote_updated_at"])
    return Difference(
        kind=Kind.UNKNOWN_RETURN,
        about=known["ref"],
        subject=known["ref"],
        ledger={"state": known["state"], "order_ref": known["order_ref"]},
        remote={},
        cause=Cause.REMOVED_THERE,
        evidence=f"The channel stated return {known['ref']} of order {known['order_ref']} at "
        f"{stated:%Y-%m-%d %H:%M:%S} UTC, and does not have it any more.",
        proofs=(
            Proof(
                record="channel_return",
                id=known["id"],
                at=stated,
                text=f"return {known['ref']} as the channel stated it: {known['remote_state']}",
            ),
            Proof(record="observed_order", id=known["ref"], at=first, text="not found since"),
        ),
        fix=Fix.ASK,
        severity=Severity.HIGH if known["refunded_at"] is not None else Severity.MEDIUM,
        order_id=known["order_id"],
    )


def unseen(tx: Transaction, run: Run, since: datetime, *, limit: int) -> list[str]:
    """Return returns that the run has not seen, the longest unread first.

    These are the unfinished ones, those recorded since a time, and those of live differences.
    """
    rows = tx.rows_as(
        _Unseen,
        "SELECT wanted.ref, COALESCE(observed_order.seen_at, 0) AS seen_at FROM ("
        "SELECT ref FROM channel_return WHERE channel_id = :channel AND state <> 'cancelled' "
        "AND (state IN (:unfinished...) OR recorded_at >= :since) "
        "UNION SELECT about AS ref FROM reconciliation_difference "
        "WHERE channel_id = :channel AND scope = :scope AND live) AS wanted "
        "LEFT JOIN observed_order ON observed_order.channel_id = :channel "
        "AND observed_order.scope = :scope AND observed_order.ref = wanted.ref "
        "WHERE observed_order.run_id IS NULL OR observed_order.run_id <> :run "
        "ORDER BY 2, 1 LIMIT :limit",
        channel=run.channel["id"],
        scope=str(run.scope),
        unfinished=list(UNFINISHED),
        since=micros(since),
        run=run.id,
        limit=limit,
    )
    return [row["ref"] for row in rows]


def orders_of(tx: Transaction, run: Run, refs: Sequence[str]) -> list[ReturnRef]:
    """Return the orders of returns, as the ledger or the live difference about them states them."""
    known = tx.rows_as(
        ReturnRef,
        "SELECT ref, order_ref FROM channel_return WHERE channel_id = :channel "
        "AND ref IN (:refs...)",
        channel=run.channel["id"],
        refs=list(refs),
    )
    found = {row["ref"]: row for row in known}
    for row in tx.rows_as(
        _Claimed,
        "SELECT about, remote_claim FROM reconciliation_difference WHERE channel_id = :channel "
        "AND scope = :scope AND live AND about IN (:refs...)",
        channel=run.channel["id"],
        scope=str(run.scope),
        refs=list(refs),
    ):
        order_ref = orjson.loads(row["remote_claim"]).get("order_ref")
        if row["about"] not in found and order_ref:
            found[row["about"]] = ReturnRef(ref=row["about"], order_ref=order_ref)
    return list(found.values())
