"""Reconciliation of one channel: compare, store what differs, heal what is safe, look again.

A difference is healed only when a look at the channel after the fix shows that both sides agree.
Batches keep the memory bounded.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from connectors import LookupWarranty, PullReturns, SnapshotOrders, SnapshotStock
from connectors.remote import rate_limit_wait
from hub.errors import RunUnderWay
from hub.reconciliation import findings, fix_rules, marks, questions, run_views, runs, schedules
from hub.reconciliation import healing as fixes
from hub.reconciliation.comparison import observed_orders
from hub.reconciliation.fix_rules import Decided
from hub.reconciliation.kinds import Compared, Result, Scope, Totals
from hub.reconciliation.runs import Run, RunLost
from hub.storage.rows import ChannelRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels
from jobs import poll
from jobs.channel_runs import run_each
from jobs.leases import LeaseLost
from jobs.probes import judged
from jobs.reconciliation import claims, healing, levels, orders, returns, shipments, warranties
from jobs.reconciliation.options import BATCH, Comparison, RunOptions
from jobs.recovery import apply_to_channel, decide
from jobs.runtime import Runtime

logger = logging.getLogger(__name__)

LISTINGS_AT_ONCE = 10_000  # that are looked at again in one reading of the whole list

# Orders first: an order that never came in explains a quantity that is lower there.
COMPARISONS: dict[Scope, Comparison] = {
    Scope.ORDERS: Comparison(
        lambda connector: isinstance(connector, SnapshotOrders), orders.compare, orders.look_again
    ),
    Scope.LEVELS: Comparison(
        lambda connector: isinstance(connector, SnapshotStock),
        levels.compare,
        levels.look_again,
        is_whole=True,
        looks_at_once=LISTINGS_AT_ONCE,
    ),
    Scope.SHIPMENTS: Comparison(shipments.is_possible, shipments.compare, shipments.look_again),
    Scope.RETURNS: Comparison(
        lambda connector: isinstance(connector, PullReturns), returns.compare, returns.look_again
    ),
    Scope.WARRANTIES: Comparison(
        lambda connector: isinstance(connector, LookupWarranty),
        warranties.compare,
        warranties.look_again,
    ),
}


async def reconcile_due(every: timedelta, runtime: Runtime) -> str:
    """Reconcile what is due by its schedule, or by the interval of the hub; return a summary."""
    rows = await runtime.database.read(channels.with_capability)
    scopes = {row["id"]: supported_if_connected(runtime, row) for row in rows}
    found = await runtime.database.read(lambda tx: schedules.planned(tx, rows, scopes, every))
    now = runtime.clock()
    abandoned = await runtime.database.read(lambda tx: runs.abandoned(tx, now))
    due = {
        channel_id: [
            each.scope
            for each in plans
            if schedules.is_due(each, now) or (channel_id, each.scope) in abandoned
        ]
        for channel_id, plans in found.items()
    }

    async def compare(channel: ChannelRow) -> int:
        for scope in due[channel["id"]]:
            try:
                await reconcile(runtime, channel, scope=scope)
            except RunUnderWay as error:  # it was started by hand
                logger.info("not reconciled twice: %s", error)
        return len(due[channel["id"]])

    wanted = [row for row in rows if due[row["id"]]]
    done = await run_each(runtime, "reconcile", wanted, compare)
    return f"{sum(done.results)} runs over {len(wanted)} channels{done}"


def supported(runtime: Runtime, channel: ChannelRow) -> list[Scope]:
    """Return the scopes that the connector of a channel supports."""
    connector = runtime.connections.of(channel)
    return [scope for scope, comparison in COMPARISONS.items() if comparison.is_possible(connector)]


def supported_if_connected(runtime: Runtime, channel: ChannelRow) -> list[Scope]:
    """Return the scopes of a channel; none where its connector cannot be made.

    Whatever the reason, such a channel stops no other one.
    """
    try:
        return supported(runtime, channel)
    except Exception as error:
        logger.warning(
            "%s cannot be reconciled: %s: %s", channel["code"], type(error).__name__, error
        )
        return []


async def reconcile(
    runtime: Runtime,
    channel: ChannelRow,
    options: RunOptions | None = None,
    scope: Scope | None = None,
) -> list[str]:
    """Reconcile one channel; return the ids of its runs, failed ones included.

    Raises RunUnderWay where another process works on the same scope.
    """
    given = options or RunOptions(grace=runtime.grace)
    return [
        await _reconcile(runtime, channel, each, given)
        for each in supported(runtime, channel)
        if scope in (None, each)
    ]


async def _reconcile(
    runtime: Runtime, channel: ChannelRow, scope: Scope, options: RunOptions
) -> str:
    run = await claims.begin(runtime, channel, scope, options.trigger, options.asked)
    try:
        with rate_limit_wait(poll.PATIENCE_SECONDS):
            async with claims.held(runtime, run):
                await _Reconciliation(runtime, run, options).perform()
        await poll.note_retirements(runtime, channel)
    except (LeaseLost, RunLost):
        logger.warning("%s of %s is continued by another process", scope, channel["code"])
        return run.id
    except Exception as error:
        decision = decide(await judged(runtime, channel, error), 0, runtime.clock())

        def failed(tx: Transaction) -> None:
            now = runtime.clock()
            runs.fail(tx, run, decision.error, now)
            apply_to_channel(tx, channel, decision, now, f"reconciling {scope}")

        await runtime.database.write(failed)
        logger.warning("%s of %s not reconciled: %s", scope, channel["code"], decision.error)
    await claims.forget_marks(runtime, run)
    return run.id


@dataclass(slots=True)
class _Reconciliation:
    """One run under way: its sums."""

    runtime: Runtime
    run: Run
    options: RunOptions
    totals: Totals = field(default_factory=Totals)
    may_raise: bool | None = None  # None: not known yet
    unread: set[str] = field(default_factory=set)  # subjects that could not be compared

    async def perform(self) -> None:
        """Compare all subjects, heal what is safe, look again at what was healed, and close."""
        database, run = self.runtime.database, self.run
        comparison = COMPARISONS[run.scope]
        if run.is_resumed:
            await self._go_on()
        async for batch in comparison.compare(self.runtime, run, self.options):
            decided = await database.write(partial(self._count, batch))
            if self.options.progress is not None:
                self.options.progress(run.scope, self.totals)
            if self.options.heal:
                await self._heal(decided)
        if self.options.heal:
            await self._raise()
        await self._look_again()

        def finish(tx: Transaction) -> None:
            now = self.runtime.clock()
            if comparison.is_whole:
                findings.end_unfound(tx, run, now, self.unread)
            questions.ask_in_groups(tx, run, now)
            runs.finish(tx, run, self.totals, now)

        await database.write(finish)

    async def _go_on(self) -> None:
        """Go on with the run of a process that died: what it counted is not compared again.

        What it found and did not come to heal is healed.
        """
        database, run = self.runtime.database, self.run
        self.totals = await database.read(lambda tx: runs.totals_of(tx, run))
        await database.write(lambda tx: observed_orders.forget_uncounted(tx, run))
        last = ""
        while self.options.heal and (
            rows := await database.read(partial(findings.open_of, run=run, after=last, limit=BATCH))
        ):
            last = rows[-1]["id"]
            await self._heal(await database.write(partial(self._decide, rows)))

    def _count(self, batch: Sequence[Compared], tx: Transaction) -> list[Decided]:
        """Count outcomes of subjects that the run has not counted yet, and settle them."""
        self.unread.update(each.about for each in batch if each.result is Result.NOT_COMPARED)
        new = marks.unmarked(tx, self.run, [each.about for each in batch])
        fresh = list({each.about: each for each in batch if each.about in new}.values())
        decided = self._settle(fresh, self.totals, tx)
        marks.add(tx, self.run, sorted(new))
        runs.count(tx, self.run, self.totals)
        return decided

    def _settle(
        self, batch: Sequence[Compared], totals: Totals | None, tx: Transaction
    ) -> list[Decided]:
        """Store outcomes, and return what the policy decides about what is open."""
        rows = findings.settle(tx, self.run, batch, self.runtime.clock(), totals)
        return self._decide(rows, tx)

    def _decide(
        self, rows: Sequence[ReconciliationDifferenceRow], tx: Transaction
    ) -> list[Decided]:
        """Ask a person what the policy leaves to one, and return the rest."""
        now = self.runtime.clock()
        decided = fix_rules.decide(tx, self.run.channel, rows, now)
        asked = [each.difference for each in decided if each.fix is None]
        repeated = [each.difference for each in decided if each.difference["repeats"]]
        questions.ask(tx, self.run, asked + repeated, now)
        return [each for each in decided if each.fix is not None]

    async def _heal(self, decided: Sequence[Decided]) -> None:
        """Heal what raises no offer; the rest waits for the end of the comparison."""
        ready = [each for each in decided if not healing.raises_offer(each)]
        await healing.heal(self.runtime, self.run.channel, ready)

    async def _raise(self) -> None:
        """Heal what raises an offer: after the orders, and after one more look at all of it.

        A look reads the whole list of a channel, so that there is one for many differences.
        """
        database, last = self.runtime.database, ""
        limit = COMPARISONS[self.run.scope].looks_at_once
        while lower := await database.read(
            partial(findings.lower_of, run=self.run, after=last, limit=limit)
        ):
            last = lower[-1]["id"]
            raising = await database.read(partial(self._raising, lower))
            if not raising or not await self._orders_are_known():
                continue
            outcomes = await self._second_look(raising)
            for start in range(0, len(outcomes), BATCH):
                batch = outcomes[start : start + BATCH]
                ready = await database.write(partial(self._settle, batch, None))
                await healing.heal(self.runtime, self.run.channel, ready)

    def _raising(self, rows: Sequence[ReconciliationDifferenceRow], tx: Transaction) -> list[str]:
        """Return the references of those subjects that the policy heals without a person."""
        decided = fix_rules.decide(tx, self.run.channel, rows, self.runtime.clock())
        return [each.difference["about"] for each in decided if each.fix is not None]

    async def _orders_are_known(self) -> bool:
        """Return whether no order that is not known here can explain a lower quantity there.

        The orders of the channel are compared first, once a run: none may be on its way, and none
        left out. A channel that cannot list them was polled before.
        """
        if self.may_raise is None:
            connector = self.runtime.connections.of(self.run.channel)
            self.may_raise = True
            if COMPARISONS[Scope.ORDERS].is_possible(connector):
                options = replace(self.options, trigger=f"run {self.run.id}")
                try:
                    run_id = await _reconcile(self.runtime, self.run.channel, Scope.ORDERS, options)
                except RunUnderWay:  # its end is not known here: nothing is raised in this run
                    self.may_raise = False
                    return False
                row = await self.runtime.database.read(lambda tx: run_views.run(tx, run_id))
                self.may_raise = (
                    row is not None
                    and row["state"] == "finished"
                    and not row["in_flight"]
                    and not row["not_compared"]
                )
        return self.may_raise

    async def _second_look(self, abouts: Sequence[str]) -> Sequence[Compared]:
        look = COMPARISONS[self.run.scope].look_again
        return await look(self.runtime, self.run, self.options, abouts)

    async def _look_again(self) -> None:
        """Look at the subjects whose fix the channel took: healed is what is seen to agree."""
        database, last = self.runtime.database, ""
        limit = COMPARISONS[self.run.scope].looks_at_once
        while sent := await database.read(
            partial(findings.sent_of, run=self.run, after=last, limit=limit)
        ):
            last = sent[-1]["id"]
            outcomes = await self._second_look([each["about"] for each in sent])
            for start in range(0, len(outcomes), BATCH):
                await database.write(partial(self._settle, outcomes[start : start + BATCH], None))


async def look_again(runtime: Runtime, channel: ChannelRow, ids: Sequence[str]) -> None:
    """Look at differences to which a person applied fixes, each as a part of its newest run."""
    rows = await runtime.database.read(lambda tx: fixes.by_id(tx, list(ids)))
    connector = runtime.connections.of(channel)
    for scope, comparison in COMPARISONS.items():
        sent = [row for row in rows if row["scope"] == scope and row["sent_at"] is not None]
        if sent and comparison.is_possible(connector):
            run = Run(sent[0]["last_run_id"], channel, scope)
            outcomes = await comparison.look_again(
                runtime, run, RunOptions(grace=runtime.grace), [row["about"] for row in sent]
            )
            await runtime.database.write(
                partial(findings.settle, run=run, batch=outcomes, now=runtime.clock())
            )
