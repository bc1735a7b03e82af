"""Read the orders of a long period in one go: the shop writes them into a file.

Paging through years of orders takes a call for each ten. A bulk operation takes three calls and
some minutes, whatever it finds. It is asked for by slices of a quarter, so that no file is endless.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import RateLimited, Rejected, Transient, Unknown
from connectors.remote import RemoteApi
from connectors.shopify import documents
from connectors.shopify.mapping import execute, said
from connectors.toolkit.cursors import stamp
from connectors.toolkit.json_fields import parsed_json

LONG = timedelta(days=31)  # shorter periods are paged through
SLICE = timedelta(days=92)
POLL_SECONDS = 5.0
SECONDS_MAX = 3600.0
BUSY_SECONDS = 60.0
BUSY = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
GONE_WRONG = frozenset({"CANCELED", "CANCELING", "EXPIRED", "FAILED"})
Node = Mapping[str, Any]


async def orders(
    api: RemoteApi, since: datetime, until: datetime, terms: str, poll_seconds: float
) -> AsyncIterator[tuple[Node, list[Node]]]:
    """Yield every order created in a period, with its lines."""
    first = since
    while first <= until:
        last = min(first + SLICE, until)
        wanted = f"created_at:>='{stamp(first)}' created_at:<='{stamp(last)}' {terms}".strip()
        operation = await _begin(api, wanted)
        address = await _ended(api, operation, poll_seconds)
        if address is not None:
            for order in await _read(api, address):
                yield order
        if last == until:
            return
        first = last  # an order of that very moment comes twice, and is known


def document(wanted: str) -> str:
    """Write the query that the shop is to run: it takes no variables."""
    start = documents.BULK_ORDERS.index("{")
    return documents.BULK_ORDERS[start:].replace("$query", json.dumps(wanted))


async def _begin(api: RemoteApi, wanted: str) -> str:
    data = await execute(api, documents.RUN_BULK, repeat=False, query=document(wanted))
    answer = data["bulkOperationRunQuery"]
    for problem in answer["userErrors"]:
        if problem["code"] in BUSY:
            raise RateLimited("the shop runs as many bulk operations as it may", BUSY_SECONDS)
        raise Rejected(said(problem["message"]))
    return str(answer["bulkOperation"]["id"])


async def _ended(api: RemoteApi, operation: str, poll_seconds: float) -> str | None:
    """Wait for an operation; return the address of its file, None where it found nothing."""
    for _ in range(int(SECONDS_MAX / poll_seconds)):
        state = (await execute(api, documents.BULK, id=operation))["bulkOperation"]
        status = state["status"] if state else "EXPIRED"
        if status == "COMPLETED":
            return str(state["url"]) if state["url"] else None
        if status in GONE_WRONG:
            code = (state or {}).get("errorCode") or ""
            raise Transient(f"the bulk operation ended as {status} {code}".strip())
        await asyncio.sleep(poll_seconds)
    raise Transient(f"the bulk operation was not done within {SECONDS_MAX:g} s")


async def _read(api: RemoteApi, address: str) -> list[tuple[Node, list[Node]]]:
    """Read a file: orders, and lines that name theirs, in whatever order they stand."""
    # The address is signed and not Shopify's own: our token is none of its business.
    answer = await api.request("GET", address, auth=None, headers={"X-Shopify-Access-Token": ""})
    found, lines = list[Node](), defaultdict[str, list[Node]](list)
    for text in answer.text.splitlines():
        try:
            each = parsed_json(text)
        except ValueError as error:
            raise Unknown("the file of a bulk operation can not be read") from error
        if not isinstance(each, dict) or "id" not in each:
            raise Unknown("the file of a bulk operation holds something else")
        if "__parentId" in each:
            lines[each["__parentId"]].append(each)
        else:
            found.append(each)
    return [(order, lines[order["id"]]) for order in found]
