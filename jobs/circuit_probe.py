"""Circuit probe: one worker at a time tests whether a failing channel answers again (half open)."""

from dataclasses import replace

from hub import cases
from hub.cases import CaseKind
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import circuit
from jobs import leases
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime


async def ask(runtime: Runtime, channel: ChannelRow) -> bool:
    """Probe a failing channel, unless another worker does; return whether it answers again."""
    claimed = await runtime.database.write(
        lambda tx: circuit.claim(tx, channel["id"], runtime.clock())
    )
    if not claimed:
        return False
    try:
        async with leases.one_call():
            await runtime.connections.of(channel).check()
    except Exception as error:
        decision = decide(error, 0, runtime.clock())

        def away(tx: Transaction) -> None:
            now = runtime.clock()
            circuit.still_away(tx, channel["id"], now)
            apply_to_channel(tx, channel, replace(decision, is_outage=False), now)

        await runtime.database.write(away)
        return False

    def back(tx: Transaction) -> None:
        circuit.back(tx, channel["id"])
        cases.settle(tx, CaseKind.CHANNEL_DOWN, channel["code"], channel["id"], runtime.clock())

    await runtime.database.write(back)
    return True
