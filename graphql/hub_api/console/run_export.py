"""A run as a file: a sheet (CSV) that is safe to open, JSON, and a page to be printed.

All three are sent page by page, so that the memory of the hub does not grow with the run. The run
is asked before the first byte is sent; a failure after that ends the file in the middle.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import orjson
from jinja2 import Template
from starlette.responses import Response, StreamingResponse

from hub_api.console import labels, presenters
from hub_api.console.client import Unanswered
from hub_api.console.page_request import Visit

PAGE = 200
#: A run of more differences than this is no list to read, and the sheet says that it was cut.
PAGES_MAX = 500
#: Nobody prints more; the page refers to the JSON.
PRINTED_MAX = 10_000
WAITS_MAX = 60

COLUMNS = (
    "channel", "scope", "kind", "subject", "reference", "sku", "severity", "state", "cause",
    "evidence", "proofs", "ledger", "channel shows", "units more there", "fix", "fix rule",
    "resolved by", "resolution", "not healed because", "fixes that did not hold", "first seen",
    "found", "last seen", "runs", "healed", "closed", "closed by run", "previous", "unit", "order",
    "difference",
)  # fmt: skip

# A spreadsheet runs a cell that begins so; tab and line feed hide such a beginning.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Run = Mapping[str, Any]


async def run_csv(visit: Visit) -> Response:
    """Answer all differences of one run as a sheet."""
    run = await _page(visit, whole=True)
    return _file(run, "csv", "text/csv; charset=utf-8", _lines(visit, run))


async def run_json(visit: Visit) -> Response:
    """Answer a whole run: totals, groups, what was not compared, and every difference."""
    run = await _page(visit, whole=True)
    return _file(run, "json", "application/json", _document(visit, run))


async def run_print(visit: Visit) -> Response:
    """Answer a run as a page to be printed: its totals, and its differences by kind."""
    run = await _page(visit, whole=True)
    return StreamingResponse(_sheet(visit, run), media_type="text/html; charset=utf-8")


def _file(run: Run, form: str, media_type: str, content: AsyncIterator[str]) -> Response:
    day = labels.moment(run["startedAt"]).strftime("%Y-%m-%d")
    name = f"{run['channel']}-{run['scope'].lower()}-{day}"
    name = "".join(each if each.isascii() and each.isalnum() else "-" for each in name)
    disposition = f'attachment; filename="reconciliation-{name}.{form}"'
    headers = {"content-disposition": disposition}
    return StreamingResponse(content, media_type=media_type, headers=headers)


async def _lines(visit: Visit, run: Run) -> AsyncIterator[str]:
    # Without the mark at its beginning, Excel reads the file in the code page of the machine.
    yield "\ufeff" + line(COLUMNS)
    pages = 0
    async for nodes in _pages(visit, run):
        if pages == PAGES_MAX:
            yield line((f"cut after {PAGES_MAX * PAGE} differences",))
            return
        pages += 1
        yield "".join(line(_cells(each)) for each in nodes)


async def _document(visit: Visit, run: Run) -> AsyncIterator[str]:
    parts = {name: value for name, value in run.items() if name != "differences"}
    yield f'{{"run":{orjson.dumps(parts).decode()},\n"differences":['
    between = "\n"
    async for nodes in _pages(visit, run):
        if nodes:
            yield between + ",\n".join(orjson.dumps(each).decode() for each in nodes)
            between = ",\n"
    yield "\n]}\n"


async def _sheet(visit: Visit, run: Run) -> AsyncIterator[str]:
    template = visit.looks.template("run_print.html")
    numbers = presenters.by_kind(run["groups"])
    yield _part(template, "head", run, numbers, visit.now)
    left = PRINTED_MAX
    for kind, number in numbers.items():
        yield _part(template, "begin", kind, number)
        first = await _page(visit, kind=kind) if left else None
        async for nodes in _pages(visit, first, kind=kind):
            shown = nodes[:left]
            left -= len(shown)
            yield "".join(_part(template, "row", each) for each in shown)
            if not left:
                break
        yield _part(template, "end")
    found = sum(numbers.values())
    yield _part(template, "foot", run, max(0, found - PRINTED_MAX))


def _part(template: Template, name: str, *given: object) -> str:
    """Return one macro of the page; what it is given is escaped."""
    return str(getattr(template.module, name)(*given))


async def _pages(
    visit: Visit, run: Run | None, kind: str | None = None
) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Yield the differences page by page, beginning with those that came with the run."""
    while run is not None:
        page = run["differences"]
        yield page["nodes"]
        after = page["pageInfo"]["endCursor"]
        more = page["pageInfo"]["hasNextPage"]
        run = await _page(visit, after=after, kind=kind) if more else None


async def _page(visit: Visit, *, whole: bool = False, **given: str | None) -> Run:
    for _ in range(WAITS_MAX):
        try:
            answer = await visit.ask(
                "run_export", id=visit.part("id"), whole=whole, first=PAGE, **given
            )
        except Unanswered as refusal:
            if not refusal.wait_seconds:
                raise
            await asyncio.sleep(refusal.wait_seconds)
        else:
            run: Run = answer.data["reconciliationRun"]
            return run
    raise Unanswered("This key asks for too much at once.", "RATE_LIMITED")


def _cells(difference: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        difference["channel"],
        labels.word("scope", difference["scope"]),
        labels.word("difference", difference["kind"]),
        difference["subject"],
        difference["about"],
        difference["sku"],
        labels.word("severity", difference["severity"]),
        labels.word("difference_state", difference["state"]),
        labels.word("cause", difference["cause"]),
        difference["evidence"],
        _proofs(difference["proofs"]),
        orjson.dumps(difference["ledgerClaim"]).decode(),
        orjson.dumps(difference["remoteClaim"]).decode(),
        difference["surplus"],
        labels.word("fix", difference["fix"]),
        difference["fixRule"],
        difference["resolvedBy"],
        difference["resolution"],
        difference["healError"],
        difference["healAttempts"],
        difference["firstSeenAt"],
        difference["foundAt"],
        difference["lastSeenAt"],
        difference["times"],
        difference["healedAt"],
        difference["closedAt"],
        difference["closedRunId"],
        difference["previousId"],
        difference["unitId"],
        difference["orderId"],
        difference["id"],
    )


def _proofs(proofs: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{proof['at']} {proof['text']} ({proof['record']} {proof['recordId']})" for proof in proofs
    )


def line(cells: tuple[object, ...]) -> str:
    """Write one line of CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerow([cell(each) for each in cells])
    return text.getvalue()


def cell(value: object) -> str:
    """Write one cell; what a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, int):
        return str(value)  # a number below zero is no formula
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
