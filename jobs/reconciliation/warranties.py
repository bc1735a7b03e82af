"""Comparison of the registrations of sold units at a warranty database with the ledger."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from connectors import LookupWarranty
from hub.reconciliation import comparison
from hub.reconciliation.comparison import RegisteredUnit
from hub.reconciliation.differences import Totals
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyQuestion
from jobs import relay
from jobs.reconciliation.options import DifferenceBatches, RunOptions, counted
from jobs.runtime import Runtime
from jobs.warranty import unreadable_answers


async def warranties(
    runtime: Runtime, channel: ChannelRow, _options: RunOptions, totals: Totals
) -> DifferenceBatches:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, channel["id"])
    async for unit, answer in _answers(runtime, channel, connector):
        if found := counted(comparison.registration(unit, answer), totals):
            yield found


async def _answers(
    runtime: Runtime, channel: ChannelRow, connector: LookupWarranty
) -> AsyncIterator[tuple[RegisteredUnit, Warranty]]:
    """Look up every sold unit, page by page, and store the answers."""
    units: Sequence[RegisteredUnit] = ()
    while True:
        after = units[-1]["id"] if units else ""
        find = partial(
            comparison.sold_units, channel=channel, after=after, limit=connector.questions_max
        )
        units = await runtime.database.read(find)
        if not units:
            return
        questions = [
            WarrantyQuestion(serial=row["serial"], product=row["model_number"] or row["sku"])
            for row in units
        ]
        answers = list(zip(units, await connector.lookup_warranty(questions), strict=True))
        of_units = [(unit["id"], answer) for unit, answer in answers]
        await runtime.database.write(partial(_remember, runtime, channel, of_units))
        for unit, answer in answers:
            if isinstance(answer, Warranty):
                yield unit, answer


def _remember(
    runtime: Runtime,
    channel: ChannelRow,
    answers: unreadable_answers.Answers,
    tx: Transaction,
) -> None:
    unreadable_answers.remember(tx, runtime, channel, answers)
