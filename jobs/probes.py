"""Probes: a channel's check is asked whether the channel answers again, and whether it refuses us.

One worker at a time tests a failing channel (half open). And a channel may refuse one call, such as
a list that the key lacks a permission for, while all others work: so before a channel is paused for
refused credentials it is checked, and only where the check is refused too, the channel refuses us.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from connectors import AuthFailed, PushedLevel, Transient
from connectors.remote import rate_limit_wait
from hub import cases
from hub.cases import CaseKind
from hub.clock import moment
from hub.storage.rows import ChannelRow, ChannelStreamRow
from hub.storage.sql import Transaction
from hub.sync import circuit, listings, outbox, streams
from jobs import leases
from jobs.recovery import CallRefused, apply_to_channel, decide, report_silence
from jobs.runtime import Runtime

STARVES_SECONDS = 5.0  # of waiting for a call: a pace is no shortage
CHECK_WAIT_SECONDS = 10.0  # of the check, for a budget that is used up

Name = TypeVar("Name")


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


async def note_starvation(runtime: Runtime, channel: ChannelRow, wait: float) -> None:
    """Record that what is due waits for our own budget; after a while it is a case, once."""
    now, channel_id = runtime.clock(), channel["id"]

    def look(tx: Transaction) -> bool:
        row = streams.get(tx, channel_id, streams.PUSHES)
        failures = row["failures"] if row else 0
        if failures > 1 or (failures and not _is_late(runtime, row, now)):
            return False
        return listings.anything_due(tx, channel_id, now) or outbox.anything_due(
            tx, channel_id, now
        )

    def note(tx: Transaction) -> None:
        error = f"our own budget is used up for another {wait:.0f} s"
        row = streams.failed(tx, channel_id, streams.PUSHES, error, now)
        report_silence(tx, channel, row, runtime.silence, now)

    if wait > STARVES_SECONDS and await runtime.database.read(look):
        await runtime.database.write(note)


def _is_late(runtime: Runtime, row: ChannelStreamRow | None, now: datetime) -> bool:
    since = row["failing_since"] if row else None
    return since is not None and moment(since) + runtime.silence.longest <= now


async def judged(runtime: Runtime, channel: ChannelRow, error: BaseException) -> BaseException:
    """Return the error of a call as it is to be treated.

    An AuthFailed stays one where the channel refuses its check too, is CallRefused where the check
    passes, and Transient where the check fails in another way.
    """
    if not isinstance(error, AuthFailed):
        return error
    try:
        async with leases.one_call():
            with rate_limit_wait(CHECK_WAIT_SECONDS):
                await runtime.connections.of(channel).check()
    except AuthFailed:
        return error
    except Exception as other:
        return Transient(f"{error}; whether the account is refused is not known: {other}")
    return CallRefused(str(error))


async def judged_levels(
    runtime: Runtime,
    channel: ChannelRow,
    outcomes: Mapping[Name, PushedLevel | BaseException],
) -> Mapping[Name, PushedLevel | BaseException]:
    """Judge the outcomes of a push; the channel is checked once for all of them."""
    refusals = [each for each in outcomes.values() if _refusal_of(each) is not None]
    if not refusals:
        return outcomes
    refusal = _refusal_of(refusals[0])
    assert refusal is not None
    verdict = await judged(runtime, channel, refusal)
    return {name: each if _refusal_of(each) is None else verdict for name, each in outcomes.items()}


def _refusal_of(outcome: PushedLevel | BaseException) -> AuthFailed | None:
    error = outcome.error if isinstance(outcome, PushedLevel) else outcome
    return error if isinstance(error, AuthFailed) else None
