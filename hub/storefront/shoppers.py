"""Rules for shoppers: whoever has read a publishable key in a page shares it with all others.

So what one of them does is theirs by a name that nobody guesses, and no shopper takes a whole
warehouse off the market.
"""

from collections.abc import Sequence
from decimal import Decimal

from hub.access.keys import Caller
from hub.errors import InvalidInput
from hub.storefront import carts
from hub.storefront.carts import CartLine

NAME_CHARS_MIN = 20  # of carts and idempotency keys: a UUID has 36
TTL_SECONDS_MAX = 3_600
UNITS_MAX = 100  # reserved by one command


def checked_name(caller: Caller, name: str, field: str) -> str:
    """Return a name that a caller makes up; raise InvalidInput where others could guess it."""
    if caller.is_publishable and len(name.strip()) < NAME_CHARS_MIN:
        raise InvalidInput(
            f"with a publishable key, at least {NAME_CHARS_MIN} random characters such as a UUID",
            field=field,
        )
    return name


def checked_cart(caller: Caller, cart: str) -> str:
    """Return the name of a cart; raises InvalidInput."""
    return checked_name(caller, carts.checked_cart(cart), "cart")


def check_size(caller: Caller, lines: Sequence[CartLine], ttl_seconds: int) -> None:
    """Raise InvalidInput where a shopper would hold too much, or for too long."""
    if not caller.is_publishable:
        return
    if sum(max(0, line.quantity) for line in lines) > UNITS_MAX:
        raise InvalidInput(f"with a publishable key, at most {UNITS_MAX} units", field="lines")
    if ttl_seconds > TTL_SECONDS_MAX:
        raise InvalidInput(
            f"with a publishable key, at most {TTL_SECONDS_MAX} seconds", field="ttlSeconds"
        )


def is_paid(caller: Caller, paid: bool | None) -> bool:
    """Return whether an order counts as paid: what a page says about it proves nothing.

    Raises InvalidInput where a page says that it is.
    """
    if not caller.is_publishable:
        return paid is not False
    if paid:
        raise InvalidInput(
            "a page cannot confirm a payment: your server does, with confirmPayment",
            field="order",
        )
    return False


def check_order(caller: Caller, customer_ref: str | None, total: Decimal | None) -> None:
    """Raise InvalidInput where a page names a known customer, or that nothing is to be paid.

    Anybody could: an order of which nothing is to be paid leaves at once.
    """
    if not caller.is_publishable:
        return
    if customer_ref is not None:
        raise InvalidInput("a page orders as a guest: leave customerRef out", field="order")
    if total is not None and total <= 0:
        raise InvalidInput("a page leaves the total of a free order out", field="order")
