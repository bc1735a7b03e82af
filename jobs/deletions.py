"""Deleted orders: an order that its channel no longer has is cancelled here.

A hint may say so (`OrderRef.deleted`); then one refused read is enough. Without such a hint the
order is read again for some minutes, and the channel has to pass its check: an address that went
wrong must not cancel the orders of a whole shop.
"""

from collections.abc import Sequence

from connectors import Connector, NotFound, ReceiveQueue, ReceiveWebhooks
from hub.orders import order_lookup
from hub.storage.rows import ChannelRow, InboxRow
from hub.sync import inbox
from hub.vocabulary import OrderState
from jobs.recovery import SOON_ATTEMPTS_MAX
from jobs.runtime import Runtime

EARLIER_MAX = 50


def hinted(runtime: Runtime, channel: ChannelRow, group: Sequence[InboxRow]) -> frozenset[str]:
    """Return the orders that any of the hints reports as deleted."""
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, ReceiveWebhooks | ReceiveQueue):
        return frozenset()
    hints = (hint for each in group for hint in connector.read(each["topic"], bytes(each["body"])))
    return frozenset(hint.order_ref for hint in hints if hint.deleted)


async def is_deleted(
    runtime: Runtime,
    channel: ChannelRow,
    ref: str,
    group: Sequence[InboxRow],
    deleted: frozenset[str],
) -> bool:
    """Say whether an order that was not found is deleted there; raises what the check raises."""
    if ref in deleted:
        return True
    state = await runtime.database.read(lambda tx: order_lookup.state_of(tx, channel["id"], ref))
    if state == OrderState.CANCELLED:
        return True  # nothing is left to do about it
    if max(each["attempts"] for each in group) < SOON_ATTEMPTS_MAX:
        return False  # it may become readable soon
    if state is None:
        return await _was_reported(runtime, channel, ref)
    return await passes_check(runtime, channel)


async def passes_check(runtime: Runtime, channel: ChannelRow) -> bool:
    """Say whether the channel itself is there; raises what the check raises but NotFound."""
    connector: object = runtime.connections.of(channel)
    if not isinstance(connector, Connector):
        return False
    try:
        await connector.check()
    except NotFound:
        return False  # the shop, the location or the address is gone, not this order
    return True


async def _was_reported(runtime: Runtime, channel: ChannelRow, ref: str) -> bool:
    """Say whether an earlier hint reported the deletion of an order that is not known here."""
    earlier = await runtime.database.read(
        lambda tx: inbox.about(tx, channel["id"], ref, limit=EARLIER_MAX)
    )
    hints = [each for each in earlier if each["source"] in inbox.HINTS]
    return ref in hinted(runtime, channel, hints)
