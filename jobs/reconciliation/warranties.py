"""Comparison of the registrations of units at a warranty database with the ledger."""

from collections.abc import Sequence
from functools import partial

from connectors import LookupWarranty, UnreadableRecord
from hub.reconciliation.comparison import registration_comparison
from hub.reconciliation.comparison.registration_comparison import Answered, RegisteredUnit
from hub.reconciliation.kinds import Compared, not_compared
from hub.reconciliation.runs import Run
from hub.storage.rows import OutboxRow
from hub.storage.sql import Transaction
from hub.vocabulary import Warranty, WarrantyQuestion
from jobs import relay
from jobs.reconciliation.options import BATCH, Outcomes, RunOptions
from jobs.runtime import Runtime
from jobs.warranty import unreadable_answers


async def compare(runtime: Runtime, run: Run, _options: RunOptions) -> Outcomes:
    """Yield the outcome of each unit that is registered or ought to be, page by page."""
    connector = runtime.connections.of(run.channel)
    assert isinstance(connector, LookupWarranty)
    await relay.drain(runtime, run.channel["id"])
    after = ""
    while units := await runtime.database.read(
        partial(registration_comparison.units, channel=run.channel, after=after, limit=BATCH)
    ):
        after = units[-1]["id"]
        for first in range(0, len(units), connector.questions_max):
            some = units[first : first + connector.questions_max]
            yield await _ask(runtime, run, connector, some)


async def look_again(
    runtime: Runtime, run: Run, _options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Ask about some units again, which are identified by their ids, and compare the answers."""
    connector = runtime.connections.of(run.channel)
    assert isinstance(connector, LookupWarranty)
    units = await runtime.database.read(
        lambda tx: registration_comparison.units_of(tx, list(abouts))
    )
    outcomes = list[Compared]()
    for first in range(0, len(units), connector.questions_max):
        some = units[first : first + connector.questions_max]
        outcomes += await _ask(runtime, run, connector, some)
    return outcomes


async def _ask(
    runtime: Runtime, run: Run, connector: LookupWarranty, units: Sequence[RegisteredUnit]
) -> Sequence[Compared]:
    """Ask about units, store the answers and compare them."""
    questions = [
        WarrantyQuestion(serial=row["serial"], product=row["model_number"] or row["sku"])
        for row in units
    ]
    ids = [unit["id"] for unit in units]
    before = await runtime.database.read(
        lambda tx: registration_comparison.facts_of(tx, run.channel, ids)
    )
    settled = registration_comparison.settled_of(before)
    answers = list(zip(units, await connector.lookup_warranty(questions), strict=True))

    def work(tx: Transaction) -> list[Compared]:
        facts = registration_comparison.facts_of(tx, run.channel, ids)
        of_units = [(unit["id"], answer) for unit, answer in answers]
        unreadable_answers.remember(tx, runtime, run.channel, of_units)
        return [_outcome(unit, facts[unit["id"]], answer) for unit, answer in answers]

    def _outcome(
        unit: RegisteredUnit, facts: Sequence[OutboxRow], answer: Warranty | UnreadableRecord
    ) -> Compared:
        if isinstance(answer, Warranty):
            return registration_comparison.compare(Answered(unit, facts, answer, settled))
        return not_compared(unit["id"], unit["serial"], f"its answer cannot be read: {answer}")

    return await runtime.database.write(work)
