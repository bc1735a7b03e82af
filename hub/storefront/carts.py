"""Carts: what a shopper reserved, for whom, and until when.

A reservation is a promise of units (a hold of the kind sale) under the name of the cart. It belongs
to the API key that made it: no other key extends, releases, picks or sells it, unless it has the
scope `override`. It is over at its end, to the microsecond.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from hub import ledger
from hub.availability.policy import CONDITIONS
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, UnknownReference
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction

CART_CHARS_MAX = 200
TTL_MAX = timedelta(days=1)
LINES_MAX = 100
QUANTITY_MAX = 1_000  # of one line


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """A quantity of a SKU; `site` is the code of a site, `condition` one of the unit conditions."""

    sku: str
    quantity: int
    site: str | None = None
    condition: str | None = None


class HeldUnit(TypedDict):
    """A unit that is reserved for a cart, and the end of its reservation in microseconds."""

    unit_id: str
    owner: str
    product_id: str
    sku: str
    site: str
    condition: str
    expires_at: int


_HELD = (
    "SELECT unit.id AS unit_id, hold.owner, unit.product_id, product.sku, site.code AS site, "
    "unit.condition, hold.expires_at FROM hold JOIN unit ON unit.promised_to = hold.id "
    "JOIN product ON product.id = unit.product_id JOIN location ON location.id = unit.location_id "
    "JOIN location AS site ON site.id = location.site_id WHERE hold.released_at IS NULL "
    "AND hold.owner IS NOT NULL AND hold.reference = :cart AND hold.expires_at > :now "
)


def owner_of(context: CommandContext) -> str:
    """Return whose the promises of a caller are: its API key's, or those of a part of the hub."""
    return context.key_id or context.scope


def checked_cart(cart: str) -> str:
    """Return the name of a cart; raise InvalidInput for one that cannot be."""
    if not 0 < len(cart.strip()) <= CART_CHARS_MAX:
        raise InvalidInput(f"a cart has a name of 1 to {CART_CHARS_MAX} characters", field="cart")
    return cart.strip()


def checked_ttl(seconds: int) -> timedelta:
    """Return how long a reservation lasts; raise InvalidInput for no time or too long."""
    ttl = timedelta(seconds=min(seconds, 10**9))
    if not timedelta(0) < ttl <= TTL_MAX:
        most = int(TTL_MAX.total_seconds())
        raise InvalidInput(f"a reservation lasts 1 to {most:,} seconds", field="ttlSeconds")
    return ttl


def check_lines(lines: Sequence[CartLine]) -> None:
    """Raise InvalidInput for lines that cannot be meant."""
    if not 0 < len(lines) <= LINES_MAX:
        raise InvalidInput(f"1 to {LINES_MAX} lines", field="lines")
    for line in lines:
        if not 0 < line.quantity <= QUANTITY_MAX:
            raise InvalidInput(f"a quantity is 1 to {QUANTITY_MAX:,}", field="quantity")
        if line.condition is not None and line.condition not in CONDITIONS:
            allowed = ", ".join(CONDITIONS)
            raise InvalidInput(f"a condition is one of {allowed}", field="condition")


def held(tx: Transaction, context: CommandContext, cart: str) -> list[HeldUnit]:
    """Return what is reserved for a cart of the caller now, in the order in which it was reserved.

    With the right to override, the cart of another key where the caller has none of this name.
    """
    return _held(tx, context, cart, "ORDER BY hold.id")


def locked(tx: Transaction, context: CommandContext, cart: str) -> list[HeldUnit]:
    """Return what is reserved for a cart as `held` does, with its units locked for this command.

    A promise that another command ended or took over meanwhile is no longer among them.
    """
    return _held(tx, context, cart, "ORDER BY unit.id FOR UPDATE OF unit")


def _held(tx: Transaction, context: CommandContext, cart: str, order: str) -> list[HeldUnit]:
    now, owner = micros(context.now), owner_of(context)
    own = tx.rows_as(
        HeldUnit, f"{_HELD}AND hold.owner = :owner {order}", cart=cart, now=now, owner=owner
    )
    if own or not context.overrides:
        return own
    return tx.rows_as(HeldUnit, f"{_HELD}{order}", cart=cart, now=now)


def extend(work: Work, cart: str, ttl: timedelta) -> int:
    """Let the whole reservation of a cart end `ttl` from now; return the number of its units.

    Raises UnknownReference for a cart of the caller that has nothing reserved any more.
    """
    units = locked(work.tx, work.context, cart)
    _require(units, cart)
    done = 0
    for owner in sorted({unit["owner"] for unit in units}):
        command = UnitCommand(
            action=Action.REALLOCATE,
            hold_reference=cart,
            expires_at=micros(work.context.now + ttl),
            owner=owner,
        )
        scans = [Scan(unit["unit_id"]) for unit in units if unit["owner"] == owner]
        done += sum(verdict.accepted for verdict in ledger.record(work, command, scans))
    return done


def release(work: Work, cart: str, lines: Sequence[CartLine] | None = None) -> int:
    """Free what a cart has reserved, or only these lines of it; return the number of units.

    Of a line, what was reserved last is freed first. Raises UnknownReference for a cart of the
    caller that has nothing reserved, InvalidInput.
    """
    if lines is not None:
        check_lines(lines)
    units = locked(work.tx, work.context, cart)
    _require(units, cart)
    freed = units if lines is None else _of_lines(units, lines)
    if not freed:
        return 0
    scans = [Scan(unit["unit_id"]) for unit in freed]
    verdicts = ledger.record(work, UnitCommand(action=Action.RELEASE), scans)
    return sum(verdict.accepted for verdict in verdicts)


def by_product(units: Sequence[HeldUnit]) -> Mapping[str, list[HeldUnit]]:
    """Group reserved units by the id of their product."""
    found: dict[str, list[HeldUnit]] = {}
    for unit in units:
        found.setdefault(unit["product_id"], []).append(unit)
    return found


def _require(units: Sequence[HeldUnit], cart: str) -> None:
    if not units:
        raise UnknownReference(f"nothing is reserved for the cart {cart!r}", field="cart")


def _of_lines(units: Sequence[HeldUnit], lines: Sequence[CartLine]) -> list[HeldUnit]:
    left = sorted(units, key=lambda unit: unit["expires_at"], reverse=True)
    freed: list[HeldUnit] = []
    for line in lines:
        fitting = [unit for unit in left if _fits(unit, line)][: line.quantity]
        freed += fitting
        left = [unit for unit in left if unit not in fitting]
    return freed


def _fits(unit: HeldUnit, line: CartLine) -> bool:
    return (
        unit["sku"] == line.sku
        and line.site in {None, unit["site"]}
        and line.condition in {None, unit["condition"]}
    )
