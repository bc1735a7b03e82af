"""What stories about orders that wait or are paid back share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e.story import settled
from serial_hub.demo import Api, DemoFailed

PULL = """mutation($key: String!, $channel: String!, $since: DateTime!, $until: DateTime!) {
  pullOrders(idempotencyKey: $key, channel: $channel, since: $since, until: $until) {
    __typename ... on OrdersPulled { read new } ... on Problem { code message } } }"""
ORDERS = """{ orders { nodes { id ref number state hold money { currency total }
  lines { sku unitPrice quantity units { id serial status } } } } }"""
PICK = """mutation($key: String!, $unit: String!) { pickUnits(idempotencyKey: $key,
  units: [{ identifier: $unit }]) { ... on CommandResult { results { accepted problem { code } } }
  ... on Problem { code message } } }"""
CASES = '{ cases(state: "open") { nodes { kind subject } } }'
REFUND = """mutation($key: String!, $order: ID!, $line: ID!, $amount: Decimal!) {
  done: refundOrder(idempotencyKey: $key, orderId: $order, amount: $amount, reason: "broken",
    lines: [{ lineId: $line, quantity: 1, amount: $amount }]) {
    __typename ... on Refund { id state } ... on Problem { code message } } }"""
REFUNDS = "{ refunds { nodes { id state refundReference error } } }"
LINES = "{ orders { nodes { id ref lines { id sku kind quantity } } } }"


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


async def asked(api: Api, order: dict[str, Any], amount: str) -> dict[str, Any]:
    """Ask for a refund of one unit of the order's first line, and wait until it was sent."""
    found = (await api.ask(LINES))["orders"]["nodes"]
    (line, *_) = next(each["lines"] for each in found if each["id"] == order["id"])
    wanted = {"order": order["id"], "line": line["id"], "amount": amount}
    done = (await api.ask(REFUND, **wanted))["done"]
    await settled(api)
    return dict(done)


async def refused(api: Api, order: dict[str, Any], amount: str) -> str:
    """Ask for a refund that the hub refuses; return the code of the refusal."""
    with pytest.raises(DemoFailed) as refusal:
        await asked(api, order, amount)
    return str(refusal.value).partition(":")[0]


async def refunds(api: Api) -> dict[str, dict[str, Any]]:
    """Return the refunds that the hub asked for, by id."""
    return {each["id"]: each for each in (await api.ask(REFUNDS))["refunds"]["nodes"]}


async def kinds(api: Api) -> list[str]:
    """Return the kinds of the open cases."""
    return sorted(each["kind"] for each in (await api.ask(CASES))["cases"]["nodes"])
