"""A run as a sheet: every difference as a line of CSV, safe to open in a spreadsheet."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from hub_api.console import labels
from hub_api.console.client import Unanswered
from hub_api.console.page_request import Visit

PAGE = 200
#: A run of more differences than this is no list to read, and the export says that it was cut.
PAGES_MAX = 500
WAITS_MAX = 60

COLUMNS = (
    "channel", "kind", "subject", "sku", "severity", "state", "cause", "evidence", "ledger",
    "channel shows", "fix", "first seen", "found", "healed", "resolved by", "unit", "order",
    "difference",
)  # fmt: skip

# A spreadsheet runs a cell that begins so; tab and line feed hide such a beginning.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


async def run_csv(visit: Visit) -> Response:
    """Answer all differences of one run; the run is asked before the first line is sent."""
    first = await _page(visit, None)
    run = first["reconciliationRun"]
    day = labels.moment(run["startedAt"]).strftime("%Y-%m-%d")
    name = f"{run['channel']}-{run['scope'].lower()}-{day}"
    name = "".join(each if each.isascii() and each.isalnum() else "-" for each in name)
    return StreamingResponse(
        _lines(visit, run),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="reconciliation-{name}.csv"'},
    )


async def _lines(visit: Visit, run: Mapping[str, Any]) -> AsyncIterator[str]:
    # Without the mark at its beginning, Excel reads the file in the code page of the machine.
    yield "\ufeff" + line(COLUMNS)
    for _ in range(PAGES_MAX):
        page = run["differences"]
        yield "".join(line(_cells(each)) for each in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            return
        run = (await _page(visit, page["pageInfo"]["endCursor"]))["reconciliationRun"]
    yield line((f"cut after {PAGES_MAX * PAGE} differences",))


async def _page(visit: Visit, after: str | None) -> Mapping[str, Any]:
    for _ in range(WAITS_MAX):
        try:
            answer = await visit.ask("run", id=visit.part("id"), first=PAGE, after=after)
        except Unanswered as refusal:
            if not refusal.wait_seconds:
                raise
            await asyncio.sleep(refusal.wait_seconds)
        else:
            return answer.data
    raise Unanswered("This key asks for too much at once.", "RATE_LIMITED")


def _cells(difference: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        difference["channel"],
        labels.word("difference", difference["kind"]),
        difference["subject"],
        difference["sku"],
        labels.word("severity", difference["severity"]),
        labels.word("difference_state", difference["state"]),
        labels.word("cause", difference["cause"]),
        difference["evidence"],
        orjson.dumps(difference["ledgerClaim"]).decode(),
        orjson.dumps(difference["remoteClaim"]).decode(),
        labels.word("fix", difference["fix"]),
        difference["firstSeenAt"],
        difference["foundAt"],
        difference["healedAt"],
        difference["resolvedBy"],
        difference["unitId"],
        difference["orderId"],
        difference["id"],
    )


def line(cells: tuple[object, ...]) -> str:
    """Write one line of CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerow([cell(each) for each in cells])
    return text.getvalue()


def cell(value: object) -> str:
    """Write one cell; what a spreadsheet would run as a formula is marked as text."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
