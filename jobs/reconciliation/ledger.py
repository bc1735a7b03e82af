"""Reconciliation of the ledger with itself, as a run with differences and a case."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, islice

from hub.ledger import hash_chain
from hub.proof import checkpoints, conservation
from hub.proof.checkpoints import Signer
from hub.reconciliation import findings, questions, run_views, runs
from hub.reconciliation.comparison import ledger_comparison, ledger_records
from hub.reconciliation.comparison.ledger_records import Suspects
from hub.reconciliation.kinds import Compared, Scope, Totals
from hub.reconciliation.runs import Run
from hub.storage.sql import Transaction
from hub.sync import channels
from jobs.reconciliation import claims
from jobs.reconciliation.options import BATCH
from jobs.runtime import Runtime

CODE, NAME = "ledger", "Ledger"


async def reconcile(signer: Signer, runtime: Runtime, trigger: str = "schedule") -> str:
    """Compare events, units, checkpoints, balances, serials and receipts; return the run's id."""
    channel = await runtime.database.write(lambda tx: channels.own(tx, CODE, NAME, runtime.clock()))
    # Its sums are taken of the whole ledger at one time: none of a dead process goes on.
    run = await claims.begin(runtime, channel, Scope.LEDGER, trigger, asked=None)
    async with claims.held(runtime, run):
        await _perform(signer, runtime, run)
    return run.id


async def _perform(signer: Signer, runtime: Runtime, run: Run) -> None:
    try:
        proof = await runtime.database.report(hash_chain.verify)
        signed = await runtime.database.report(lambda tx: checkpoints.verify(tx, signer.trusted))
        balance = await runtime.database.report(conservation.check)
        drift = await runtime.database.report(ledger_comparison.drift)
        found = [await runtime.database.report(look) for look in _looks(runtime.clock())]
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        await runtime.database.write(lambda tx: runs.fail(tx, run, text, runtime.clock()))
        raise
    suspects = sum(len(each.found) for each in found)
    totals = Totals(matched=ledger_comparison.matched(proof, drift, suspects))
    broken = chain(
        ledger_comparison.differences(proof, signed, balance),
        ledger_comparison.drifted(drift),
        *map(ledger_records.differences, found),
    )
    while batch := list(islice(broken, BATCH)):
        await runtime.database.write(partial(_settle, run, batch, totals, runtime.clock()))

    def finish(tx: Transaction) -> None:
        now = runtime.clock()
        findings.end_unfound(tx, run, now)
        questions.ask_in_groups(tx, run, now)
        runs.finish(tx, run, totals, now)

    await runtime.database.write(finish)


def _looks(now: datetime) -> list[Callable[[Transaction], Suspects]]:
    return [
        partial(ledger_records.suspects, check=check, now=now) for check in ledger_records.CHECKS
    ]


def _settle(
    run: Run, batch: Sequence[Compared], totals: Totals, now: datetime, tx: Transaction
) -> None:
    rows = findings.settle(tx, run, batch, now, totals)
    questions.ask_of_records(tx, rows, now)


async def verify(signer: Signer, runtime: Runtime) -> str:
    """Reconcile the ledger with itself; return a summary."""
    run_id = await reconcile(signer, runtime)
    run = await runtime.database.read(lambda tx: run_views.run(tx, run_id))
    assert run is not None  # it was just made
    return f"{run['compared']} subjects compared, {run['differences']} differ"
