"""Integrity jobs: sign the ledger and balance it; a breach opens a case at once."""

from functools import partial

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.proof import checkpoints, conservation
from hub.proof.checkpoints import Signer
from hub.storage.sql import Transaction
from jobs.runtime import Runtime

BREAKS_MAX = 20  # named in a case


async def sign(signer: Signer, runtime: Runtime) -> str:
    """Sign all events recorded since the last checkpoint; return a summary."""
    total = 0
    while signed := await runtime.database.write(
        partial(checkpoints.make, signer=signer, now=runtime.clock())
    ):
        total += signed
    return f"{total} events signed"


async def conserve(runtime: Runtime) -> str:
    """Verify that every unit counts exactly once; return a summary."""
    balance = await runtime.database.report(conservation.check)
    if balance.holds:
        await runtime.database.write(
            lambda tx: cases.settle(
                tx, CaseKind.LEDGER_BROKEN, "conservation", None, runtime.clock()
            )
        )
        return f"{balance.units} units add up"
    breaches = [f"{each.law}: {each.message}" for each in balance.breaches]

    def report(tx: Transaction) -> None:
        finding = Finding(
            kind=CaseKind.LEDGER_BROKEN,
            subject="conservation",
            severity=Severity.HIGH,
            summary=f"{len(breaches)} counts, places or holds of units do not add up.",
            details={"breaches": breaches[:BREAKS_MAX]},
        )
        cases.report(tx, finding, runtime.clock())

    await runtime.database.write(report)
    return f"{len(breaches)} breaches"
