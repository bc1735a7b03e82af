"""Changes of availability policies, of a channel or of one listing, with their level updates."""

from typing import Any

import orjson

from hub.availability import policy
from hub.availability.policy import PolicyCard
from hub.availability.rows import ChannelLike
from hub.catalogue import reference
from hub.commands.context import CommandContext
from hub.storage.sql import Transaction
from hub.sync import listings


def set_for_channel(
    tx: Transaction, context: CommandContext, channel: ChannelLike, card: PolicyCard
) -> dict[str, Any]:
    """Set the policy of a channel and queue its level updates; return the new policy."""
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
    tx: Transaction, context: CommandContext, channel: ChannelLike, sku: str, card: PolicyCard
) -> dict[str, Any]:
    """Set the values that a listing overrides and queue its level update; return its policy.

    Without any value the listing follows its channel again. Raises UnknownReference for a product
    that the channel does not list.
    """
    listing = policy.listed(tx, channel, sku)
    given = policy.stored_of(tx, context, card)
    own = orjson.dumps(given).decode() if len(given) > 1 else None
    tx.run("UPDATE listing SET policy = :policy WHERE id = :id", policy=own, id=listing["id"])
    listings.touch_listing(tx, listing["id"], context.now)
    return policy.shown(policy.of_listing(channel, own))
