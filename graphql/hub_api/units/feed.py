"""The feed of events: every event of the ledger in the order of commits, from any cursor on."""

import base64
import binascii
from collections.abc import Sequence

import strawberry

from hub.errors import InvalidInput
from hub.ledger import event_views
from hub.storage.paging import page_size
from hub.storage.sql import Row, Transaction
from hub_api.engine.stored import each
from hub_api.units.types import UnitEvent

Position = tuple[int, int]  # transaction and sequence number

READ_MAX = 200  # events that are read at a time
READS_MAX = 20  # of one page, where few events are of what is asked for


@strawberry.type(description="A part of the feed of events, in the order of their commits.")
class EventFeed:
    nodes: list[UnitEvent] = strawberry.field(description="Events after the cursor.")
    end_cursor: str = strawberry.field(
        description="Where the next page begins; a subscription goes on after it as well."
    )
    has_next_page: bool = strawberry.field(description="Whether more may follow now.")


def cursor_of(position: Position) -> str:
    """Return the cursor behind a position."""
    return base64.urlsafe_b64encode(f"{position[0]}.{position[1]}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> Position:
    """Return the position of a cursor; raise InvalidInput for what is none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
        transaction, _, seq = text.partition(".")
        found = int(transaction), int(seq)
    except (ValueError, binascii.Error):
        found = -1, -1
    if not all(0 <= number < 2**63 for number in found):
        raise InvalidInput("this is no cursor of the feed of events", field="after")
    return found


def is_asked_for(row: Row, sku: str | None, location: str | None) -> bool:
    """Return whether an event is of the product and place that are asked for."""
    return sku in (None, row["sku"]) and location in (None, row["to_code"])


def after(tx: Transaction, here: Position) -> tuple[Sequence[Row], Position]:
    """Return the next events, and the position behind them."""
    rows = event_views.events_after(tx, *here, limit=READ_MAX)
    return rows, (rows[-1]["transaction_id"], rows[-1]["seq"]) if rows else here


def page(
    tx: Transaction, here: Position, first: int, sku: str | None, location: str | None
) -> EventFeed:
    """Return a page of the feed; it may be short where few events are of what is asked for."""
    size = page_size(first)
    found: list[Row] = []
    more = True
    for _ in range(READS_MAX):
        rows, end = after(tx, here)
        more = len(rows) == READ_MAX
        for row in rows:
            if len(found) == size:
                return _page(found, here, more=True)
            here = row["transaction_id"], row["seq"]
            if is_asked_for(row, sku, location):
                found.append(row)
        here = end
        if not more:
            break
    return _page(found, here, more=more)


def _page(rows: Sequence[Row], here: Position, *, more: bool) -> EventFeed:
    return EventFeed(nodes=each(UnitEvent.of, rows), end_cursor=cursor_of(here), has_next_page=more)
