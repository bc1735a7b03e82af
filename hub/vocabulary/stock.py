"""Quantities: what a listing is to show, and what it shows."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """The quantity that one listing of a channel is to show: absolute, never a change.

    `remote` holds the channel's own references of the listing, as its connector stored them.
    `expected` is the quantity last seen there, for channels that compare before they set; None
    means: not known, do not compare. `key` is the idempotency key: it derives from what was
    observed and from the version wanted, never from the value alone, so that writing the same
    value again after a foreign edit is a new request.
    """

    listing: str
    sku: str
    available: int
    remote: Mapping[str, str]
    expected: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedLevel:
    """What a channel shows for one of its listings right now."""

    sku: str
    quantity: int
    remote: Mapping[str, str]
    title: str = ""
