"""Returns of orders that the seller ships: the flat file of returns by their date.

There is no call that lists these returns: a report of the last 60 days is ordered, and read when it
is done, which may be at a later pull. It states days and no time of change, so an order is read
again when its rows differ from the report before. A row names the order, the SKU, how many units,
whether they were delivered, and what was paid back; of which day the payment is it does not say.

Report: GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE, tabs, columns named in English.
"""

import asyncio
import csv
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from connectors.amazon.documents import document_text
from connectors.amazon.fulfillment import fetch_order
from connectors.amazon.mapping import (
    REPORT_DOCUMENTS,
    REPORTS,
    changed_at,
    request_object,
    sold_by_seller,
)
from connectors.contract import Page
from connectors.errors import NotFound, Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import decimal_of
from connectors.toolkit.cursors import ChangedRefs, moment, stamp
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.records import FieldError, Record, RecordReader
from hub.vocabulary import Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="orderId")
REPORT_TYPE = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
REPORTED = timedelta(days=60)  # as much as one report may hold
FAILED_FOR = timedelta(hours=1)  # a report that failed is an error so long, then it is ordered anew
LOOKS = 3
ORDERS_PER_PAGE = 30  # as many as may be read at once
ORDER, RMA, SKU = "Order ID", "Amazon RMA ID", "Merchant SKU"
QUANTITY, STATUS, REASON = "Return quantity", "Return request status", "Return Reason"
REQUESTED_ON, DELIVERED_ON = "Return request date", "Return delivery date"
REFUNDED, RESOLUTION = "Refunded Amount", "Resolution"
ROWS = "rows"
ORDER_ID = re.compile(r"[0-9A-Z]+(-[0-9A-Z]+)*")
COLUMNS = (ORDER, RMA, SKU, QUANTITY, STATUS, REQUESTED_ON)
STATES = {
    "pending": ReturnState.REQUESTED,
    "requested": ReturnState.REQUESTED,
    "declined": ReturnState.CANCELLED,
    "rejected": ReturnState.CANCELLED,
    "cancelled": ReturnState.CANCELLED,
    "canceled": ReturnState.CANCELLED,
    "closed": ReturnState.CLOSED,
    "completed": ReturnState.CLOSED,
}
WITHOUT_RETURN = "returnless"
Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnReports:
    """The reports of returns of one seller."""

    api: RemoteApi
    marketplaces: tuple[str, ...]
    every: timedelta
    poll_seconds: float

    async def pull(self, cursor: str, now: datetime) -> Page[Return]:
        """Order a report where one is due, and read what changed in the one that is done."""
        stored = parsed_json(cursor) if cursor else {}
        changed = ChangedRefs.restore(stored)
        if changed.waiting:
            return await self._changed(stored, changed)
        if "report" not in stored:
            asked = stored.get("asked")
            if asked and now - moment(asked) < self.every:
                return Page((), cursor)
            stored |= {"report": await self._order_report(now), "asked": now.isoformat()}
        done, document = await self._look(stored["report"], moment(stored["asked"]), now)
        if not done:
            return Page((), json.dumps(stored))
        rows = await self._rows(document) if document else {}
        changed = changed.compare(
            {ref: [sorted(each.items()) for each in rows[ref]] for ref in rows}
        )
        kept = {"asked": stored["asked"], **changed.stored()}
        kept |= {"document": document} if document and changed.waiting else {}
        return Page((), json.dumps(kept), bool(changed.waiting))

    async def _changed(self, stored: Mapping[str, Any], changed: ChangedRefs) -> Page[Return]:
        """Read the next orders whose rows changed, of the report that was compared."""
        rows = await self._rows(stored["document"]) if "document" in stored else {}
        refs, changed = changed.take(ORDERS_PER_PAGE)
        named = [{"orderId": ref, ROWS: rows[ref]} for ref in refs if ref in rows]
        read = await RETURNS.each_async(named, self._returns)
        more = bool(changed.waiting)
        kept = {**stored, **changed.stored()}
        if not more:
            kept.pop("document", None)
        returns = tuple(each for some in read.items for each in some)
        return Page(returns, json.dumps(kept), more, read.unreadable)

    async def _returns(self, found: Record) -> Sequence[Return]:
        """Read the returns of one order out of its rows, with the order as it is now."""
        ref = text(found, "orderId")
        if not ORDER_ID.fullmatch(ref):
            raise FieldError(ORDER, ref, "is no number of an order")
        try:
            order = await fetch_order(self.api, ref, "FULFILLMENT")
        except NotFound:
            return ()  # older than what Amazon shows
        if not sold_by_seller(order, self.marketplaces):
            return ()
        return parse_returns(found.attach("order", dict(order)), records(found, ROWS))

    async def _order_report(self, now: datetime) -> str:
        body = {
            "reportType": REPORT_TYPE,
            "marketplaceIds": list(self.marketplaces),
            "dataStartTime": stamp(now - REPORTED),
            "dataEndTime": stamp(now),
        }
        answer = await request_object(self.api, "POST", REPORTS, json=body)
        return _required(answer, "reportId")

    async def _look(self, report: str, asked: datetime, now: datetime) -> tuple[bool, str]:
        """Return whether a report is done, and its document; it has none where it is empty."""
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(self.poll_seconds)
            path = f"{REPORTS}/{quote(report, safe='')}"
            try:
                state = await request_object(self.api, "GET", path)
            except NotFound:
                return True, ""  # too old to be known: the next one is ordered in its time
            status = state.get("processingStatus")
            if status == "DONE":
                return True, _required(state, "reportDocumentId")
            if status == "CANCELLED":  # there is nothing to report
                return True, ""
            if status == "FATAL":
                if now - asked < FAILED_FOR:
                    raise Unknown(f"the report of returns {report} failed at Amazon")
                return True, ""
        return False, ""

    async def _rows(self, document: str) -> dict[str, list[Row]]:
        path = f"{REPORT_DOCUMENTS}/{quote(document, safe='')}"
        place = await request_object(self.api, "GET", path)
        return rows_of(await document_text(self.api, place))


def _required(answer: Mapping[str, Any], name: str) -> str:
    """Return a reference out of the envelope of an answer; raises Unknown where there is none."""
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise Unknown(f"the answer about a report holds no {name}")
    return found


def rows_of(report: str) -> dict[str, list[Row]]:
    """Return the rows of a report by order; raises Unknown for one without the columns."""
    read = csv.DictReader(report.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if missing := [each for each in COLUMNS if each not in (read.fieldnames or ())]:
        raise Unknown(f"the report of returns has no columns {', '.join(missing)}")
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in read:
        known = {name: value or "" for name, value in row.items() if isinstance(name, str)}
        rows[known[ORDER]].append(known)
    return rows


def parse_returns(order: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Return]:
    """Read the returns of an order out of its rows: one for each authorisation (RMA)."""
    by_rma: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_rma[text(row, RMA) or identity(order, "orderId")].append(row)
    return [_return(order, ref, some) for ref, some in by_rma.items()]


def _return(order: Mapping[str, Any], ref: str, rows: Sequence[Mapping[str, Any]]) -> Return:
    delivered = [_day(row, DELIVERED_ON) for row in rows if row.get(DELIVERED_ON)]
    changed = max([*(_day(row, REQUESTED_ON) for row in rows), *delivered])
    lines = tuple(_line(order, row) for row in rows)
    paid = any(line.refunded for line in lines)
    return Return(
        ref=ref,
        order_ref=identity(order, "orderId"),
        state=_state(rows, lines),
        remote_state=" ".join(sorted({text(row, STATUS) for row in rows})),
        lines=lines,
        updated_at=changed,
        refund_ref=ref if paid else None,
        refunded_at=max(changed, changed_at(order)) if paid else None,
    )


def _state(rows: Sequence[Mapping[str, Any]], lines: Sequence[ReturnLine]) -> ReturnState:
    named = {STATES.get(text(row, STATUS).lower(), ReturnState.OPEN) for row in rows}
    if len(named) == 1 and named != {ReturnState.OPEN}:
        return named.pop()
    settled = all(line.refunded and (line.arrived or not line.comes_back) for line in lines)
    return ReturnState.CLOSED if settled else ReturnState.OPEN


def _line(order: Mapping[str, Any], row: Mapping[str, Any]) -> ReturnLine:
    items = records(order, "orderItems", required=True)
    sku = text(row, SKU)
    item = next((each for each in items if text(child(each, "product"), "sellerSku") == sku), None)
    if item is None:
        raise FieldError(SKU, sku, "is not in the order that the return is of")
    quantity = min(whole(row, QUANTITY), whole(item, "quantityOrdered"))
    comes_back = WITHOUT_RETURN not in text(row, RESOLUTION).lower()
    return ReturnLine(
        order_line_ref=identity(item, "orderItemId"),
        quantity=quantity,
        comes_back=comes_back,
        arrived=quantity if row.get(DELIVERED_ON) and comes_back else 0,
        refunded=quantity if decimal_of(row.get(REFUNDED)) else 0,
        reason=text(row, REASON),
    )


def _day(row: Mapping[str, Any], name: str) -> datetime:
    """Read a day or a time of a report: ``14-Apr-2026``, or ISO 8601."""
    written = text(row, name)
    for form in ("%d-%b-%Y", "%d/%m/%Y"):
        with suppress(ValueError):
            return datetime.strptime(written, form).replace(tzinfo=UTC)
    return moment(row[name])
