"""The yardsticks of `queries_http`: the same answers from endpoints written by hand for each.

They read with the same SQL over the same drivers, look at no key, know no GraphQL, and write the
answer with orjson.
"""

import os
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.clock import moment
from hub.storage.database import open_database
from hub.storage.sql import Transaction
from hub.storefront import stock

UNIT = (
    "SELECT id, serial, status, disposition, version, grade, condition, blocks > 0 AS is_blocked, "
    "received_at, changed_at FROM unit "
)
EVENTS = (
    "SELECT event.id, event.action, event.status, event.actor, event.occurred_at, "
    "place.code, place.name FROM event JOIN location AS place ON place.id = event.location_to "
    "WHERE event.unit_id = :id ORDER BY event.version"
)

database = open_database(os.environ["SERIAL_HUB_DATABASE"])


def _unit(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "serial": row["serial"],
        "status": row["status"].upper(),
        "disposition": row["disposition"].upper(),
        "version": row["version"],
        "grade": row["grade"],
        "condition": row["condition"].upper(),
        "isBlocked": bool(row["is_blocked"]),
        "receivedAt": moment(row["received_at"]).isoformat() if row["received_at"] else None,
        "changedAt": moment(row["changed_at"]).isoformat(),
    }


def _event(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "action": row["action"].upper(),
        "status": row["status"].upper(),
        "actor": row["actor"],
        "occurredAt": moment(row["occurred_at"]).isoformat(),
        "location": row["code"],
        "locationName": row["name"],
    }


def _history(tx: Transaction, serial: str) -> dict[str, Any] | None:
    unit = tx.row(UNIT + "WHERE serial_canonical = :serial", serial=serial)
    if unit is None:
        return None
    return _unit(unit) | {"history": [_event(row) for row in tx.rows(EVENTS, id=unit["id"])]}


def _page(tx: Transaction, first: int) -> list[dict[str, Any]]:
    return [_unit(row) for row in tx.rows(UNIT + "ORDER BY id LIMIT :limit", limit=first)]


def _stock(tx: Transaction, skus: list[str]) -> list[dict[str, Any] | None]:
    return [
        {
            "sku": each.sku,
            "band": each.band.upper(),
            "available": each.available,
            "nextArrival": each.next_arrival,
            "sites": [
                {"site": site.site, "band": site.band.upper(), "available": site.available}
                for site in each.sites
            ],
        }
        if each is not None
        else None
        for each in stock.of_skus(tx, skus, datetime.now(UTC))
    ]


def _answer(data: dict[str, Any]) -> Response:
    return Response(orjson.dumps({"data": data}), media_type="application/json")


async def _graphql(request: Request) -> Response:
    """Answer whichever of the three was asked, by its variable."""
    variables = orjson.loads(await request.body())["variables"]
    if "identifier" in variables:
        serial = variables["identifier"]
        return _answer({"unit": await database.read(lambda tx: _history(tx, serial))})
    if "first" in variables:
        first = variables["first"]
        return _answer({"units": {"nodes": await database.read(lambda tx: _page(tx, first))}})
    skus = variables["skus"]
    return _answer({"availability": await database.read(lambda tx: _stock(tx, skus))})


async def _alive(_: Request) -> Response:
    return _answer({"status": "alive"})


app = Starlette(
    routes=[Route("/graphql", _graphql, methods=["POST"]), Route("/healthz", _alive)],
)
