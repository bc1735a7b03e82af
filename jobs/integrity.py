"""Integrity: the whole ledger is verified by schedule; a break is a case at once."""

from hub import cases, chain
from hub.cases import CaseKind, Finding, Severity
from hub.sql import Transaction
from jobs.runtime import Runtime

BREAKS_MAX = 20  # named in a case


async def verify(runtime: Runtime) -> str:
    """Verify every unit's chain and state; return a summary."""
    proof = await runtime.database.report(chain.verify)
    if not proof.breaks:
        return f"{proof.events} events of {proof.units} units hold"

    def report(tx: Transaction) -> None:
        finding = Finding(
            kind=CaseKind.LEDGER_BROKEN,
            subject="ledger",
            severity=Severity.HIGH,
            summary=f"{len(proof.breaks)} events or units are not what was sealed.",
            details={
                "breaks": [
                    f"{each.unit_id} at version {each.version}: {each.what}"
                    for each in proof.breaks[:BREAKS_MAX]
                ]
            },
        )
        cases.report(tx, finding, runtime.clock())

    await runtime.database.write(report)
    return f"{len(proof.breaks)} breaks"
