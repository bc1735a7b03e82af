"""Shopping over the API, for tests: documents of carts and checkouts, and ways to send them."""

import itertools
from typing import Any

from api_client import Caller
from world import World

PROBLEM = "... on Problem { code message } ... on InvalidInput { field }"
RESERVATION = """reservation { cart expiresAt ttlSeconds lines { sku quantity site condition
  expiresAt } }"""
RESERVE = f"""mutation($key: String!, $cart: String!, $lines: [CartLineInput!]!, $ttl: Int!,
  $partial: Boolean!, $near: [String!]) {{ done: reserve(idempotencyKey: $key, cart: $cart,
  lines: $lines, ttlSeconds: $ttl, partial: $partial, near: $near) {{
  ... on ReserveOutcome {{ replayed {RESERVATION} lines {{ sku requested reserved
  problem {{ code message }} }} }} {PROBLEM} ... on NotEnoughStock {{ available skus }} }} }}"""
EXTEND = f"""mutation($cart: String!, $ttl: Int!) {{ done: extendReservation(
  idempotencyKey: "NEW", cart: $cart, ttlSeconds: $ttl) {{ ... on ReservationChange {{ units
  replayed {RESERVATION} }} {PROBLEM} }} }}"""
RELEASE = f"""mutation($cart: String!, $lines: [CartLineInput!]) {{ done: releaseReservation(
  idempotencyKey: "NEW", cart: $cart, lines: $lines) {{ ... on ReservationChange {{ units
  replayed {RESERVATION} }} {PROBLEM} }} }}"""
SHOW = f"query($cart: String!) {{ {RESERVATION.replace('{', '(cart: $cart) {', 1)} }}"
VERDICT = """{ ... on CommandResult { results { accepted problem { code
  ... on UnitPromised { reference } } } } ... on Problem { code message } }"""
KEYS = itertools.count()
STEPS = {
    "release": f"""mutation($unit: String!) {{ done: releaseUnits(idempotencyKey: "NEW",
      units: [{{ identifier: $unit }}], kind: SALE) {VERDICT} }}""",
    "pick": f"""mutation($unit: String!) {{ done: pickUnits(idempotencyKey: "NEW",
      units: [{{ identifier: $unit }}]) {VERDICT} }}""",
    "sell": f"""mutation($unit: String!) {{ done: sellUnits(idempotencyKey: "NEW",
      units: [{{ identifier: $unit }}], receipt: "R-1", holdReference: "c-1") {VERDICT} }}""",
}


async def reserve(caller: Caller, cart: str, *lines: tuple[str, int], **more: Any) -> Any:
    """Reserve quantities of SKUs for a cart; `more` are further arguments of the command."""
    given = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    asked = {"ttl": 600, "partial": False, "near": None, "lines": given, **more}
    asked.setdefault("key", f"k-{next(KEYS)}")
    return (await caller.ask(RESERVE, cart=cart, **asked))["done"]


async def step(caller: Caller, name: str, unit: str) -> Any:
    """Release, pick or sell a unit, and return its result."""
    done = (await caller.ask(STEPS[name], unit=unit))["done"]
    return done["results"][0] if "results" in done else done


def promised(world: World, sku: str = "CAM") -> list[str]:
    """Return the serials of a product that are promised to somebody."""
    rows = world.rows(
        "SELECT serial FROM unit JOIN product ON product.id = unit.product_id "
        "WHERE promised_to IS NOT NULL AND sku = :sku ORDER BY serial",
        sku=sku,
    )
    return [row["serial"] for row in rows]


CHECKOUT = f"""mutation($key: String!, $cart: String!, $order: CheckoutInput!, $ref: String) {{
  done: checkout(idempotencyKey: $key, cart: $cart, order: $order, ref: $ref) {{
  ... on CheckedOut {{ token replayed order {{ id ref number state hold channel customerRef
    lines {{ sku quantity kind title unitPrice units {{ serial isPromised }} }} }} }} {PROBLEM}
  ... on NotEnoughStock {{ available skus }} }} }}"""
STATUS = """query($token: String!) { orderStatus(token: $token) { number progress placedAt
  lines { sku title quantity shipped } parcels { carrier tracking shippedAt units } } }"""
AVAILABILITY = """query($skus: [String!]!, $site: String, $condition: UnitCondition) {
  availability(skus: $skus, site: $site, condition: $condition) { sku condition band available
  nextArrival preOrder { cap left } sites { site band available }
  conditions { condition band available } } }"""


async def check_out(caller: Caller, cart: str, **order: Any) -> Any:
    """Check a cart out; `key` and `ref` are those of the command, the rest is of the order."""
    asked = {"key": order.pop("key", f"k-{next(KEYS)}"), "ref": order.pop("ref", None)}
    return (await caller.ask(CHECKOUT, cart=cart, order=order, **asked))["done"]


async def status(caller: Caller, token: str) -> Any:
    """Ask how far an order is."""
    return (await caller.ask(STATUS, token=token))["orderStatus"]
