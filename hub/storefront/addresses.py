"""Addresses: where an order goes, sealed beside it and opened only for those who send it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from hub.access.vault import Vault
from hub.errors import InvalidInput, StepNotAllowed
from hub.storage.sql import Transaction

TEXT_CHARS_MAX = 200
LINES_MAX = 4
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; it shows in no log. `country` is an ISO 3166-1 alpha-2 code."""

    name: str = field(repr=False)
    lines: Sequence[str] = field(repr=False)
    city: str = field(repr=False)
    country: str
    postal_code: str = field(default="", repr=False)
    region: str = field(default="", repr=False)


class _Sealed(TypedDict):
    order_id: str
    address: str | None


def check(address: Address) -> None:
    """Raise InvalidInput for an address that nobody could deliver to."""
    if not 0 < len(address.lines) <= LINES_MAX:
        raise InvalidInput(f"an address has 1 to {LINES_MAX} lines", field="lines")
    for name, value in (("name", address.name), ("city", address.city)):
        if not value.strip():
            raise InvalidInput(f"an address has a {name}", field=name)
    texts = (address.name, address.city, address.postal_code, address.region, *address.lines)
    if any(len(text) > TEXT_CHARS_MAX for text in texts):
        raise InvalidInput(f"at most {TEXT_CHARS_MAX} characters", field="address")
    if not _COUNTRY.fullmatch(address.country):
        raise InvalidInput("a country is an ISO 3166-1 code such as DE", field="country")


def sealed(vault: Vault, address: Address) -> str:
    """Return an address as it is stored; raise InvalidInput."""
    check(address)
    return vault.seal({**asdict(address), "lines": list(address.lines)})


def change(tx: Transaction, vault: Vault, order_id: str, address: Address) -> None:
    """Replace the address of a checked-out order; raise StepNotAllowed once anything has left."""
    left = tx.value(
        "SELECT COUNT(*) FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
        "WHERE order_line.order_id = :id AND unit.status IN ('shipped', 'sold')",
        id=order_id,
    )
    if left:
        raise StepNotAllowed("the order has left: its address stays", allowed=[])
    tx.run(
        "UPDATE checkout SET address = :address WHERE order_id = :id",
        address=sealed(vault, address),
        id=order_id,
    )


def of_orders(tx: Transaction, order_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the sealed addresses of orders by order id; None where there is none."""
    rows = tx.rows_as(
        _Sealed,
        "SELECT order_id, address FROM checkout WHERE order_id IN (:ids...)",
        ids=list(order_ids),
    )
    found: dict[str, str | None] = dict.fromkeys(order_ids)
    return found | {row["order_id"]: row["address"] for row in rows}


def opened(values: Mapping[str, Any]) -> Address:
    """Return an address from its unsealed values."""
    return Address(**values)
