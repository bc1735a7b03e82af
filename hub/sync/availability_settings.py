"""Who sets an availability policy: of a channel, or of one listing; and how it is told at once."""

from typing import Any

import orjson

from hub.availability import policy
from hub.availability.policy import PolicyCard
from hub.catalogue import reference
from hub.commands.context import CommandContext
from hub.storage.sql import Row, Transaction
from hub.sync import listings


def set_for_channel(
    tx: Transaction, context: CommandContext, channel: Row, card: PolicyCard
) -> dict[str, Any]:
    """Replace the policy of a channel, and have all its levels told anew; return the new one."""
    given = policy.stored_of(tx, context, card)
    sites = given.pop("site_ids", None)
    tx.run(
        "UPDATE channel SET safety_buffer = :buffer, site_ids = :sites, policy = :policy "
        "WHERE id = :id",
        buffer=given.pop("safety_buffer", 0),
        sites=orjson.dumps(sites).decode() if sites else None,
        policy=orjson.dumps(given).decode(),
        id=channel["id"],
    )
    listings.touch_channel(tx, channel["id"], context.now)
    return policy.shown(policy.of_channel(reference(tx, "channel", "id", channel["id"])))


def set_for_listing(
    tx: Transaction, context: CommandContext, channel: Row, sku: str, card: PolicyCard
) -> dict[str, Any]:
    """Replace the points in which a listing differs, and have its level told anew.

    Without any point the listing is as its channel again. Raises UnknownReference for a product
    that the channel does not list.
    """
    listing = policy.listed(tx, channel, sku)
    given = policy.stored_of(tx, context, card)
    own = orjson.dumps(given).decode() if len(given) > 1 else None
    tx.run("UPDATE listing SET policy = :policy WHERE id = :id", policy=own, id=listing["id"])
    listings.touch_listing(tx, listing["id"], context.now)
    return policy.shown(policy.of_listing(channel, own))
