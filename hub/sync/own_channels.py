"""Own channels: the hub itself as a channel, for orders that nobody else reports.

Direct orders come from an own desk or an order management system; storefront orders are checked out
from carts. Nothing is called at the other end. The first use makes a channel.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from hub.availability.rows import ChannelLike
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import channels

DIRECT = "direct"
STOREFRONT = "storefront"
NAMES: Mapping[str, str] = {DIRECT: "Direct orders", STOREFRONT: "Storefront"}
# A shop sells new units unless its policy says more.
_POLICIES: Mapping[str, str | None] = {
    DIRECT: None,
    STOREFRONT: orjson.dumps({"conditions": ["new"]}).decode(),
}


def ensure(tx: Transaction, code: str, now: datetime) -> ChannelRow:
    """Return an own channel; make it where it is used the first time.

    Raises StepNotAllowed where a channel of a connector bears its code.
    """
    return channels.own(tx, code, NAMES[code], now, policy=_POLICIES[code])


def get_or_make(tx: Transaction, code: str, now: datetime) -> ChannelRow:
    """Return any channel by its code, an own one also before its first use.

    Raises UnknownReference, StepNotAllowed.
    """
    return ensure(tx, code, now) if code in NAMES else channels.get(tx, code)


def read(tx: Transaction, code: str) -> ChannelLike:
    """Return an own channel for reading; before its first use, what it will be then."""
    known = tx.row_as(ChannelRow, "SELECT * FROM channel WHERE code = :code", code=code)
    if known is not None:
        return known
    unmade: dict[str, Any] = {
        "id": "",
        "code": code,
        "site_ids": None,
        "safety_buffer": 0,
        "policy": _POLICIES[code],
        "client_id": None,
    }
    return unmade
