"""Answers of manufacturers: stored; one that cannot be read is a case and changes nothing known."""

from collections.abc import Sequence

from connectors import UnreadableRecord
from hub.after_sales import warranty_answers
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyStatus
from jobs import unreadable
from jobs.runtime import Runtime

Answers = Sequence[tuple[str, Warranty | UnreadableRecord]]


def remember(tx: Transaction, runtime: Runtime, channel: ChannelRow, answers: Answers) -> None:
    """Store the answers about units; those that cannot be read are unknown, as before."""
    now = runtime.clock()
    read: list[str] = []
    for unit_id, answer in answers:
        if isinstance(answer, Warranty):
            warranty_answers.remember(tx, unit_id, channel["id"], answer, now)
            read.append(f"{unreadable.WARRANTY} {answer.serial}")
            continue
        unreadable.report(tx, runtime, channel, answer)
        if not warranty_answers.known(tx, [unit_id], now):
            unknown = Warranty(serial=answer.ref or "", status=WarrantyStatus.UNKNOWN)
            warranty_answers.remember(tx, unit_id, channel["id"], unknown, now)
    unreadable.settle(tx, runtime, channel, read, runtime.clock())
