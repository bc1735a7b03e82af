"""Comparison of the registrations of sold units at a warranty database with the ledger."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from connectors import LookupWarranty
from hub.reconciliation import registration_comparison
from hub.reconciliation.kinds import Compared
from hub.reconciliation.registration_comparison import RegisteredUnit
from hub.reconciliation.runs import Run
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyQuestion
from jobs import relay
from jobs.reconciliation.options import Outcomes, RunOptions
from jobs.runtime import Runtime
from jobs.warranty import unreadable_answers


async def compare(runtime: Runtime, run: Run, _options: RunOptions) -> Outcomes:
    """Yield the outcome of each sold unit that is registered or ought to be."""
    channel = run.channel
    connector = runtime.connections.of(channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, channel["id"])
    async for unit, answer in _answers(runtime, channel, connector):
        yield [registration_comparison.registration(unit, answer)]


async def _answers(
    runtime: Runtime, channel: ChannelRow, connector: LookupWarranty
) -> AsyncIterator[tuple[RegisteredUnit, Warranty]]:
    """Look up every sold unit, page by page, and store the answers."""
    units: Sequence[RegisteredUnit] = ()
    while True:
        after = units[-1]["id"] if units else ""
        find = partial(
            registration_comparison.sold_units,
            channel=channel,
            after=after,
            limit=connector.questions_max,
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


async def look_again(
    runtime: Runtime, run: Run, _options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Ask for some units again and compare the answers."""
    connector = runtime.connections.of(run.channel)
    assert isinstance(connector, LookupWarranty)
    wanted = set(abouts)
    return [
        registration_comparison.registration(unit, answer)
        async for unit, answer in _answers(runtime, run.channel, connector)
        if unit["id"] in wanted
    ]
