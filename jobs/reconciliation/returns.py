"""Comparison of the returns and refunds of one channel with those of the ledger.

What changed since the run before the last one is listed by a cursor of its own, so that what the
polling missed is found. Returns that the ledger has and the list does not show are read by their
order.
"""

from collections.abc import Sequence
from functools import partial

from connectors import AuthFailed, NotFound, PullReturns, Unreadable, UnreadableRecord
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.reconciliation import healing, marks
from hub.reconciliation.comparison import observed_orders, return_comparison
from hub.reconciliation.comparison.return_comparison import ReturnLook
from hub.reconciliation.kinds import Compared, not_compared
from hub.reconciliation.runs import Run
from hub.returns import channel_returns
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels
from hub.vocabulary import Return
from jobs import intake, unreadable
from jobs.intake import RETURN, RETURNS
from jobs.poll import message_of
from jobs.reconciliation.options import Outcomes, RunOptions
from jobs.reconciliation.orders import READ_BATCH, READS_MAX, look_of
from jobs.runtime import Runtime

LAST, BEFORE = "reconciled returns", "reconciled returns before"  # cursors: one run overlaps
PAGES_MAX = 500  # of one run; the next run goes on
NO_PERMISSION = "the channel does not permit the hub to read its returns"
MORE_PAGES = f"a run reads {PAGES_MAX} pages of returns; the next run goes on"
NO_ORDER = "its order is not known"
TOO_MANY = f"the list does not show it, and a run reads {READS_MAX} returns by their orders"


async def compare(runtime: Runtime, run: Run, options: RunOptions) -> Outcomes:
    """Yield the outcome of each return that changed, and of each unfinished one beside."""
    channel = run.channel
    await intake.drain(runtime, channel["id"])
    look = return_look(runtime, channel, options)
    if not channels.can(channel, "pull_returns"):
        yield [not_compared("", channel["name"], NO_PERMISSION)]
        return
    try:
        async for outcomes in _listed(runtime, run, look):
            yield outcomes
        async for outcomes in _unseen(runtime, run, look):
            yield outcomes
    except AuthFailed as error:
        # The orders may still be read; the polling of returns opens a case.
        yield [not_compared("", channel["name"], f"{NO_PERMISSION}: {error}")]


def return_look(runtime: Runtime, channel: ChannelRow, options: RunOptions) -> ReturnLook:
    """Return how the returns of a channel are compared from now on."""

    def delivery(each: Return) -> str:
        return message_of(channel, RETURN, RETURNS, each).delivery

    return ReturnLook(look_of(runtime, channel, options), delivery)


def _connector(runtime: Runtime, channel: ChannelRow) -> PullReturns:
    connector = runtime.connections.of(channel)
    assert isinstance(connector, PullReturns)  # the scope is possible for these alone
    return connector


async def _listed(runtime: Runtime, run: Run, look: ReturnLook) -> Outcomes:
    """Yield the outcomes of the returns that changed since the run before the last one."""
    connector, now = _connector(runtime, run.channel), look.look.at

    def cursors(tx: Transaction) -> tuple[str, str]:
        channel_id = run.channel["id"]
        return channels.cursor(tx, channel_id, BEFORE), channels.cursor(tx, channel_id, LAST)

    cursor, last = await runtime.database.read(cursors)
    more = True
    for _ in range(PAGES_MAX):
        page = await connector.pull_returns(cursor)
        good, odd = unreadable.sort(page.items, unreadable.RETURN)
        newest = {each.ref: each for each in good}
        unread = [*page.unreadable, *odd]
        yield await runtime.database.write(
            partial(_compare, runtime, run, look, list(newest.values()), unread)
        )
        cursor, more = page.cursor, page.more
        if not more:
            break

    def move(tx: Transaction) -> None:
        channels.move_cursor(tx, run.channel["id"], BEFORE, last, now)
        channels.move_cursor(tx, run.channel["id"], LAST, cursor, now)

    await runtime.database.write(move)
    if more:
        yield [not_compared("", run.channel["name"], MORE_PAGES)]


def _compare(
    runtime: Runtime,
    run: Run,
    look: ReturnLook,
    returns: Sequence[Return],
    odd: Sequence[UnreadableRecord],
    tx: Transaction,
) -> Sequence[Compared]:
    unreadable.keep(tx, runtime, run.channel, odd)
    unread = {unreadable.subject_of(record): str(record) for record in odd}
    new = marks.unmarked(tx, run, [*(each.ref for each in returns), *unread])
    fresh = [each for each in returns if each.ref in new]
    unread = {ref: reason for ref, reason in unread.items() if ref in new}
    observed_orders.see(tx, run, [each.ref for each in fresh], look.look.at)
    observed_orders.skip(tx, run, list(unread))
    skipped = [not_compared(ref, ref, reason) for ref, reason in unread.items()]
    return [*return_comparison.compare(tx, look, fresh), *skipped]


async def _unseen(runtime: Runtime, run: Run, look: ReturnLook) -> Outcomes:
    """Yield the outcomes of returns that the list did not show: they are read by their orders."""
    reads, since = 0, look.look.at - observed_orders.FIRST_WINDOW
    while refs := await runtime.database.read(
        lambda tx: return_comparison.unseen(tx, run, since, limit=READ_BATCH)
    ):
        if reads >= READS_MAX:
            yield await runtime.database.write(partial(_skip, run, refs, TOO_MANY))
            continue
        reads += len(refs)
        yield await _look_at(runtime, run, look, refs)


def _skip(run: Run, refs: Sequence[str], reason: str, tx: Transaction) -> list[Compared]:
    observed_orders.skip(tx, run, refs)
    return [not_compared(ref, ref, reason) for ref in refs]


async def _look_at(
    runtime: Runtime, run: Run, look: ReturnLook, refs: Sequence[str]
) -> Sequence[Compared]:
    """Read the returns of orders, and compare those that are asked for."""
    connector = _connector(runtime, run.channel)
    known = await runtime.database.read(lambda tx: return_comparison.orders_of(tx, run, refs))
    order_refs = {each["ref"]: each["order_ref"] for each in known}
    found, unread = dict[str, Return](), dict[str, str]()
    for order_ref in dict.fromkeys(order_refs.values()):
        try:
            good, odd = unreadable.sort(await connector.read_returns(order_ref), unreadable.RETURN)
        except NotFound:
            continue
        except Unreadable as error:
            good, odd = [], [error.record]
        found |= {each.ref: each for each in good if each.ref in order_refs}
        if odd:
            unread[order_ref] = f"a return of its order cannot be read: {odd[0]}"
    skipped = [
        not_compared(ref, ref, unread[order_ref])
        for ref, order_ref in order_refs.items()
        if ref not in found and order_ref in unread
    ]
    skipped += [not_compared(ref, ref, NO_ORDER) for ref in refs if ref not in order_refs]
    left = [each.about for each in skipped]
    missing = sorted(set(refs) - found.keys() - set(left))

    def work(tx: Transaction) -> Sequence[Compared]:
        observed_orders.see(tx, run, list(found), look.look.at)
        observed_orders.skip(tx, run, left)
        observed_orders.miss(tx, run, missing, look.look.at)
        gone = return_comparison.gone(tx, look, observed_orders.gone_of(tx, run, missing))
        return [*return_comparison.compare(tx, look, list(found.values())), *skipped, *gone]

    return await runtime.database.write(work)


async def look_again(
    runtime: Runtime, run: Run, options: RunOptions, abouts: Sequence[str]
) -> Sequence[Compared]:
    """Return the outcomes of some returns, each read with its order."""
    look = return_look(runtime, run.channel, options)
    outcomes = list[Compared]()
    for first in range(0, len(abouts), READ_BATCH):
        outcomes += await _look_at(runtime, run, look, abouts[first : first + READ_BATCH])
    return outcomes


async def accept(
    runtime: Runtime,
    channel: ChannelRow,
    difference: ReconciliationDifferenceRow,
    context: CommandContext,
    rule: str | None,
) -> None:
    """Read the return of a difference from its channel and accept its state.

    Raises StepNotAllowed where the channel does not have it any more, and what the read raises.
    """
    ref = difference["about"]
    run = Run(difference["last_run_id"], channel, return_comparison.SCOPE)
    refs = await runtime.database.read(lambda tx: return_comparison.orders_of(tx, run, [ref]))
    if not refs:
        raise StepNotAllowed("the order of the return is not known", allowed=["dismiss"])
    states = await _connector(runtime, channel).read_returns(refs[0]["order_ref"])
    good, _ = unreadable.sort(states, unreadable.RETURN)
    state = next((each for each in good if each.ref == ref), None)
    if state is None:
        raise StepNotAllowed("the channel does not have the return any more", allowed=["dismiss"])

    def work(tx: Transaction) -> None:
        healing.heal(tx, context, difference["id"], rule=rule)
        channel_returns.accept(tx, context, channel, state)

    await runtime.database.write(work)
