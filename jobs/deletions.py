"""Deleted orders: an order that its channel no longer has is cancelled here.

A hint may say so (`OrderRef.deleted`); then one refused read is enough. Without such a hint the
order is read again for some minutes, and the channel has to pass its check: an address that went
wrong must not cancel the orders of a whole shop.
"""

from collections.abc import Sequence

from connectors import Connector, NotFound, ReceiveQueue, ReceiveWebhooks
from hub.orders import order_lookup
from hub.storage.rows import ChannelRow, InboxRow
from jobs.recovery import SOON_ATTEMPTS_MAX
from jobs.runtime import Runtime


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
    if max(each["attempts"] for each in group) < SOON_ATTEMPTS_MAX:
        return False  # it may become readable soon
    known = await runtime.database.read(lambda tx: order_lookup.is_known(tx, channel["id"], ref))
    connector: object = runtime.connections.of(channel)
    if not known or not isinstance(connector, Connector):
        return False
    try:
        await connector.check()
    except NotFound:
        return False  # the shop, the location or the address is gone, not this order
    return True
