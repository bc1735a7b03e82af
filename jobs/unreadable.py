"""Unreadable records: kept as they came, one case each, and read again when that may help.

A record of a channel that could not be read is a dead delivery of the inbox: its case names field
and value. It is read again when a person asks for it (as any dead delivery is), after an upgrade of
the hub or of the connector, and when the channel names it again. What is read closes the case.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any, TypeVar

from pydantic import TypeAdapter

from connectors import UnreadableRecord
from connectors.registry import GROUP
from connectors.toolkit.redaction import as_json
from connectors.toolkit.value_checks import ValueProblem, checked
from hub import cases
from hub.cases import CaseKind, Finding
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels, inbox
from jobs.runtime import Runtime

Item = TypeVar("Item")
SOURCE = inbox.UNREADABLE
ORDER, RETURN, LISTING, WARRANTY = "order", "return", "listing", "warranty"
VALUE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """The body of a kept record: where it stood, and what it was read with."""

    record: UnreadableRecord
    cursor: str | None  # of the page that it stands on
    reader: str  # the versions of hub and connector that could not read it


KEPT = TypeAdapter(Kept)


def sort(items: Iterable[Any], kind: str) -> tuple[list[Any], list[UnreadableRecord]]:
    """Sort what a connector yields into values that can be stored, and records that can not.

    Whatever a connector does not check itself is found here.
    """
    good: list[Any] = []
    bad: list[UnreadableRecord] = []
    for item in items:
        if isinstance(item, UnreadableRecord):
            bad.append(item)
            continue
        try:
            good.append(checked(item))
        except ValueProblem as problem:
            bad.append(_unstorable(item, kind, problem))
    return good, bad


def _unstorable(item: Any, kind: str, problem: ValueProblem) -> UnreadableRecord:
    ref = getattr(item, "order_ref" if kind == RETURN else "ref", None)
    readable = isinstance(ref, str) and ref.isprintable()
    return UnreadableRecord(
        kind=kind,
        ref=ref if readable else None,
        field=problem.path,
        value=as_json(problem.value, VALUE_CHARS_MAX),
        reason=problem.reason,
        raw=as_json(asdict(item), 8_000),
    )


def reader_of(channel: ChannelRow) -> str:
    """Name the versions of the hub and of the package that brings a channel's connector."""
    try:
        hub = version("serial-hub")
    except PackageNotFoundError:
        hub = "unknown"
    points = entry_points(group=GROUP).select(name=channel["connector"])
    brought = {point.dist.version for point in points if point.dist is not None}
    return " ".join([hub, *sorted(brought)])


def subject_of(record: UnreadableRecord) -> str:
    """Return the subject of a record's case: an order's reference, or what it is instead."""
    if record.ref is None:
        return f"{record.kind} {_digest(record)}"
    return record.ref if record.kind == ORDER else f"{record.kind} {record.ref}"


def keep(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    records: Sequence[UnreadableRecord],
    cursor: str | None = None,
) -> None:
    """Store records that could not be read, and open or update the case of each."""
    now = runtime.clock()
    for record in records:
        subject = subject_of(record)
        body = KEPT.dump_json(Kept(record, cursor, reader_of(channel)))
        delivery = f"unreadable:{record.kind}:{_digest(record)}"
        message = inbox.Message(channel["id"], delivery, SOURCE, record.kind, body)
        if inbox.keep_unreadable(tx, message, subject, str(record), now):
            report(tx, runtime, channel, record)


def report(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, record: UnreadableRecord
) -> None:
    """Open the case of a record, or update it."""
    finding = Finding(
        kind=CaseKind.UNREADABLE_RECORD,
        subject=subject_of(record),
        channel_id=channel["id"],
        summary=f"{channel['name']} sent what cannot be read: {record}",
        details={
            "field": record.field,
            "value": record.value,
            "reason": record.reason,
            "record": record.raw,
        },
    )
    cases.report(tx, finding, runtime.clock())


def settle(
    tx: Transaction,
    runtime: Runtime,
    channel: ChannelRow,
    subjects: Sequence[str],
    read_at: datetime,
) -> None:
    """Close the cases of records that were read, and their dead deliveries.

    `read_at` is when the channel stated what was read: a record that was odd since stays open.
    """
    now = runtime.clock()
    odd = inbox.settle_unreadable(tx, channel["id"], subjects, read_at, now)
    read = [subject for subject in subjects if subject[:200] not in odd]
    cases.settle_many(tx, CaseKind.UNREADABLE_RECORD, read, channel["id"], now)


def compared(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, records: Sequence[UnreadableRecord]
) -> None:
    """Report the listings of a whole snapshot that could not be read; close those that were."""
    for record in records:
        report(tx, runtime, channel, record)
    cases.settle_others(
        tx,
        CaseKind.UNREADABLE_RECORD,
        f"{LISTING} ",
        {subject_of(record) for record in records},
        channel["id"],
        runtime.clock(),
    )


def mentions(record: UnreadableRecord, sku: str) -> bool:
    """Say whether a record that could not be read may be the listing of a SKU."""
    return sku == record.ref or as_json(sku, VALUE_CHARS_MAX) in record.raw


async def read_again(runtime: Runtime) -> str:
    """Requeue the records that older versions could not read; return a summary."""

    def requeue(tx: Transaction) -> int:
        due = []
        for row in inbox.unreadable(tx):
            channel = channels.by_id(tx, row["channel_id"])
            if KEPT.validate_json(bytes(row["body"])).reader != reader_of(channel):
                due.append(row["id"])
        return inbox.replay(tx, due, runtime.clock()) if due else 0

    return f"{await runtime.database.write(requeue)} unreadable records are read again"


def _digest(record: UnreadableRecord) -> str:
    named = f"{record.kind}\n{record.ref}\n{record.field}\n{record.raw}"
    return hashlib.sha256(named.encode()).hexdigest()[:24]
