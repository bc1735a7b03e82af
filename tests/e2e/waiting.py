"""What stories about orders that wait share: read again, look at, and try to pick."""

from datetime import UTC, datetime, timedelta
from typing import Any

from e2e.story import settled
from serial_hub.demo import Api

PULL = """mutation($key: String!, $channel: String!, $since: DateTime!, $until: DateTime!) {
  pullOrders(idempotencyKey: $key, channel: $channel, since: $since, until: $until) {
    __typename ... on OrdersPulled { read new } ... on Problem { code message } } }"""
ORDERS = """{ orders { nodes { id ref number state hold money { currency total }
  lines { sku unitPrice quantity units { id serial status } } } } }"""
PICK = """mutation($key: String!, $unit: String!) { pickUnits(idempotencyKey: $key,
  units: [{ identifier: $unit }]) { ... on CommandResult { results { accepted problem { code } } }
  ... on Problem { code message } } }"""
CASES = "{ cases(state: OPEN) { nodes { kind subject } } }"


async def orders_of(api: Api, channel: str) -> dict[str, dict[str, Any]]:
    """Read the orders of a channel's last hour again; return what the hub makes of them."""
    now = datetime.now(UTC)
    period = {"since": now - timedelta(hours=1), "until": now + timedelta(minutes=1)}
    times = {name: each.isoformat() for name, each in period.items()}
    pulled = (await api.ask(PULL, channel=channel, **times))["pullOrders"]
    assert pulled["__typename"] == "OrdersPulled", pulled
    await settled(api)
    return {node["ref"]: node for node in (await api.ask(ORDERS))["orders"]["nodes"]}


async def picked(api: Api, order: dict[str, Any]) -> str | None:
    """Try to pick the first unit of an order; return the code of the refusal."""
    unit = order["lines"][0]["units"][0]["id"]
    (result,) = (await api.ask(PICK, unit=unit))["pickUnits"]["results"]
    problem = result["problem"]
    return problem and str(problem["code"])


def units(order: dict[str, Any]) -> int:
    """Count the units of an order."""
    return sum(len(line["units"]) for line in order["lines"])
