"""Bugs that are planted on purpose: the simulator must find each of them, or it is worth nothing.

Each is a mistake that somebody could make, and that the engine is built to rule out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from connectors import Unknown
from hub import cases, orders
from hub.cases import CaseKind
from hub.ledger.rules import order
from hub.lifecycle import LIFECYCLE, Action
from hub.orders import allocation, line_status
from hub.storage.sql import Row, Transaction
from hub.sync import channels, inbox, listings, outbox
from hub.vocabulary import Order, OrderState
from jobs import intake, leases, poll, relay, unreadable
from jobs.runtime import Runtime
from tests.simulation import connector
from tests.simulation.process import Store


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: what shows it, how it comes into the code and into the database file."""

    name: str
    shows: str
    plant: Callable[[pytest.MonkeyPatch], None]
    store: Callable[[Store], None] = lambda _: None

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug in the code while the block lasts."""
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch)
            yield


def _two_promises(patch: pytest.MonkeyPatch) -> None:
    """Nothing looks whether a unit is promised already."""
    patch.setattr(allocation, "FREE", "1 = 1")
    patch.setattr(allocation, "FREE_OR_LAPSED", "1 = 1")
    rule = replace(LIFECYCLE[Action.ALLOCATE], promised=None)
    patch.setitem(LIFECYCLE, Action.ALLOCATE, rule)


def _key_from_value(patch: pytest.MonkeyPatch) -> None:
    """A level's key is made of its value: writing the same value again is no new request."""
    leased = listings._leased

    def by_value(*given: Any) -> listings.LeasedLevel:
        level = leased(*given)
        return replace(level, key=f"{level.listing_id}:{level.desired}")

    patch.setattr(listings, "_leased", by_value)


def _cursor_first(patch: pytest.MonkeyPatch) -> None:
    """The cursor moves in a transaction of its own, before the page is stored."""

    async def pull(runtime: Runtime, channel: Row, stream: poll.Stream) -> int:
        cursor = await runtime.database.read(
            lambda tx: channels.cursor(tx, channel["id"], stream.name)
        )
        page = await stream.pull(cursor)
        now = runtime.clock()
        await runtime.database.write(
            lambda tx: channels.move_cursor(tx, channel["id"], stream.name, page.cursor, now)
        )
        return await runtime.database.write(partial(poll._store, runtime, channel, stream, page))

    patch.setattr(poll, "_pull", pull)


def _silence_is_consent(patch: pytest.MonkeyPatch) -> None:
    """A fact counts as told when no answer came."""
    failed = relay._fact_failed

    def hopeful(
        tx: Transaction, runtime: Runtime, channel: Row, fact: Row, error: BaseException
    ) -> None:
        if isinstance(error, Unknown):
            outbox.sent(tx, fact, "surely", runtime.clock())
            return
        failed(tx, runtime, channel, fact, error)

    patch.setattr(relay, "_fact_failed", hopeful)


def _done_before_work(patch: pytest.MonkeyPatch) -> None:
    """A delivery is closed in one transaction, and its order worked in in the next."""
    accept = intake.orders.accept

    async def process(
        runtime: Runtime, channel: Row, group: Sequence[Row], _batch: leases.Batch
    ) -> None:
        try:
            found = (await intake._read(runtime, channel, group)).orders
        except Exception as error:
            for message in group:
                failed = partial(_failed, runtime, channel, message, error)
                await runtime.database.write(failed)
            return
        now = runtime.clock()
        for message in group:
            await runtime.database.write(partial(_close, channel, message, now))
        for each in found:
            context = runtime.context("intake")
            await runtime.database.write(partial(_in_its_own, accept, context, channel, each))

    patch.setattr(intake, "_process", process)


def _failed(
    runtime: Runtime, channel: Row, message: Row, error: Exception, tx: Transaction
) -> None:
    intake._failed(tx, runtime, channel, message, error)


def _close(channel: Row, message: Row, now: datetime, tx: Transaction) -> None:
    inbox.done(tx, message, None, now)
    cases.settle(tx, CaseKind.SYNC_FAILURE, message["delivery"], channel["id"], now)


def _in_its_own(accept: Any, context: Any, channel: Row, order: Order, tx: Transaction) -> Any:
    return accept(tx, context, channel, order)


def _no_lease(patch: pytest.MonkeyPatch) -> None:
    """A fact is leased for no time: two workers tell it side by side."""
    lease = outbox.lease

    def for_no_time(*given: Any, **named: Any) -> list[Row]:
        return lease(*given, **(named | {"lasts": timedelta(0)}))

    patch.setattr(outbox, "lease", for_no_time)
    patch.setattr(leases.Batch, "extend", _yes)
    patch.setattr(leases.Batch, "still_held", _yes)


async def _yes(*_: Any) -> bool:
    return True


def _untold_change(patch: pytest.MonkeyPatch) -> None:
    """Some changes of what is available are forgotten."""
    want = listings._want

    def forgetful(tx: Transaction, condition: str, now: Any, **values: Any) -> None:
        if "product_id" not in condition or now.second % 4:
            want(tx, condition, now, **values)

    patch.setattr(listings, "_want", forgetful)


def _hold_ignored(patch: pytest.MonkeyPatch) -> None:
    """The order's hold is looked at nowhere."""
    patch.setattr(order, "require_free", lambda *_: None)


def _draft_takes_units(patch: pytest.MonkeyPatch) -> None:
    """An order that is not placed takes units like any other."""
    patch.setattr(line_status, "wants_units", lambda row: row["state"] != OrderState.CANCELLED)


def _deletion_ignored(patch: pytest.MonkeyPatch) -> None:
    """An order that its channel deleted stays as it is."""
    patch.setattr(orders, "delete", lambda *_: None)


def _odd_record_dropped(patch: pytest.MonkeyPatch) -> None:
    """What cannot be read is forgotten, and the cursor moves on."""
    patch.setattr(unreadable, "keep", lambda *_, **__: None)


def _takes_all_of_the_account(patch: pytest.MonkeyPatch) -> None:
    """A channel takes whatever its account lists, also what is of the other channel."""
    patch.setattr(connector._Selling, "is_ours", lambda *_: True)


def _takes_what_it_hears(patch: pytest.MonkeyPatch) -> None:
    """An order that is read again after a webhook is taken, whosever it is."""
    patch.setattr(connector._Selling, "_own", lambda _, order: order)


NO_INDEX = "DROP INDEX hold_active"
BUGS = (
    Bug(
        "two promises on one unit",
        "is promised twice",
        _two_promises,
        lambda store: store.execute(NO_INDEX),
    ),
    Bug("a key made of the value", "shows .* and there are", _key_from_value),
    Bug("a cursor that moves first", "the cursor of .* skipped", _cursor_first),
    Bug("silence taken for an answer", "registered|was told 0 times", _silence_is_consent),
    Bug(
        "a delivery closed before its work",
        "is not known|asks for|nobody can explain",
        _done_before_work,
    ),
    Bug("facts without a lease", "was told 2 times and left 1 times", _no_lease),
    Bug("changes that nobody is told of", "nothing is to be told", _untold_change),
    Bug("a hold that stops nothing", "of an order that may not", _hold_ignored),
    Bug(
        "a draft that takes units",
        "lacks nothing, and a case|asks for 0 and has",
        _draft_takes_units,
    ),
    Bug("a deletion that is ignored", "was deleted, here it is", _deletion_ignored),
    Bug("two channels that take one order", "the order of another", _takes_all_of_the_account),
    Bug("an order taken because it was heard of", "the order of another", _takes_what_it_hears),
    Bug("a lost record", "skipped|is not known|asks for|is cancelled, here", _odd_record_dropped),
)
