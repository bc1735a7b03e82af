"""Reconciliation of the ledger with itself, as a run with differences and a case."""

from functools import partial
from itertools import chain, islice

from hub.ledger import hash_chain
from hub.proof import checkpoints, conservation
from hub.proof.checkpoints import Signer
from hub.reconciliation import findings, questions, run_views, runs
from hub.reconciliation.comparison import ledger_comparison
from hub.reconciliation.kinds import Scope, Totals
from hub.reconciliation.runs import Run
from hub.storage.sql import Transaction
from hub.sync import channels
from jobs.reconciliation import claims
from jobs.reconciliation.options import BATCH
from jobs.runtime import Runtime

CODE, NAME = "ledger", "Ledger"


async def reconcile(signer: Signer, runtime: Runtime, trigger: str = "schedule") -> str:
    """Compare events, units, checkpoints, balances and serials; return the run's id."""
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
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        await runtime.database.write(lambda tx: runs.fail(tx, run, text, runtime.clock()))
        raise
    totals = Totals(matched=ledger_comparison.matched(proof, drift))
    broken = chain(
        ledger_comparison.differences(proof, signed, balance), ledger_comparison.drifted(drift)
    )
    while batch := list(islice(broken, BATCH)):
        settle = partial(findings.settle, run=run, batch=batch, now=runtime.clock(), totals=totals)
        await runtime.database.write(settle)

    def finish(tx: Transaction) -> None:
        now = runtime.clock()
        findings.end_unfound(tx, run, now)
        questions.ask_in_groups(tx, run, now)
        runs.finish(tx, run, totals, now)

    await runtime.database.write(finish)


async def verify(signer: Signer, runtime: Runtime) -> str:
    """Reconcile the ledger with itself; return a summary."""
    run_id = await reconcile(signer, runtime)
    run = await runtime.database.read(lambda tx: run_views.run(tx, run_id))
    assert run is not None  # it was just made
    return f"{run['compared']} subjects compared, {run['differences']} differ"
