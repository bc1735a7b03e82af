"""Amazon's reports of returns: ordered, done after a look or more, packed, of 60 days at most.

A report without a row is cancelled by Amazon itself. Its days are those of the return's request.
"""

import gzip
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

REPORTS = "/reports/2021-06-30"
RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
COLUMNS = (
    "Order ID",
    "Order date",
    "Return request date",
    "Return request status",
    "Amazon RMA ID",
    "Merchant RMA ID",
    "Label type",
    "Merchant SKU",
    "Item Name",
    "Return quantity",
    "Return Reason",
    "Resolution",
    "Return delivery date",
    "Order Amount",
    "Order quantity",
    "Refunded Amount",
)
DAY = "%d-%b-%Y"
Record = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class ReportDesk:
    """The reports of one seller. `rows` are the returns as they are now."""

    def __init__(
        self, documents: dict[str, bytes], next_id: Callable[[], int], now: Callable[[], datetime]
    ) -> None:
        self.rows: list[Record] = []
        self.reports: dict[str, Record] = {}
        self.looks = 1  # after so many looks a report is done
        self.fails = False
        self._documents, self._next_id, self._now = documents, next_id, now

    def take_back(
        self, order: str, sku: str, quantity: int, *, delivered: bool = False, **more: str
    ) -> str:
        """Let a buyer return units, at once or only ask; return the number of its permission."""
        rma, today = f"D{self._next_id():09}RRMA", self._now().strftime(DAY)
        row = dict.fromkeys(COLUMNS, "")
        row |= {
            "Order ID": order,
            "Return request date": today,
            "Return request status": "Approved",
            "Amazon RMA ID": rma,
            "Merchant SKU": sku,
            "Item Name": f"A {sku}",
            "Return quantity": str(quantity),
            "Return Reason": "CR-DEFECTIVE",
            "Resolution": "StandardRefund",
            "Return delivery date": today if delivered else "",
            "Refunded Amount": "10.00" if delivered else "",
            **more,
        }
        self.rows.append({**row, "at": self._now()})
        return rma

    def change(self, rma: str, **fields: str) -> None:
        """Let something happen to a return; fields are columns with _ in place of blanks."""
        for row in self.rows:
            if row["Amazon RMA ID"] == rma:
                row |= {name.replace("_", " "): value for name, value in fields.items()}

    def table(self) -> list[tuple[str, str, Handler]]:
        """Return what is asked with a token."""
        return [
            ("POST", f"{REPORTS}/reports", self._order),
            ("GET", f"{REPORTS}/reports/{{id}}", self._look),
            ("GET", f"{REPORTS}/documents/{{id}}", self._document),
        ]

    async def _order(self, request: Request) -> Response:
        asked, ref = await request.json(), f"report-{self._next_id()}"
        since, until = (
            datetime.fromisoformat(asked[name]) for name in ("dataStartTime", "dataEndTime")
        )
        if asked["reportType"] != RETURNS or until - since > timedelta(days=60):
            return _failed(400, "Invalid input")
        self.reports[ref] = {
            "reportId": ref,
            "reportType": asked["reportType"],
            "processingStatus": "IN_QUEUE",
            "createdTime": asked["dataEndTime"],
            "span": (since, until),
            "looks": 0,
        }
        return JSONResponse({"reportId": ref}, status_code=202)

    async def _look(self, request: Request) -> Response:
        report = self.reports.get(request.path_params["id"])
        if report is None:
            return _failed(404, "No such report")
        report["looks"] += 1
        if report["looks"] >= self.looks and report["processingStatus"] == "IN_QUEUE":
            self._write(report)
        return JSONResponse(
            {name: report[name] for name in report if name not in ("span", "looks")}
        )

    async def _document(self, request: Request) -> Response:
        ref = request.path_params["id"]
        if ref not in self._documents:
            return _failed(404, "No such document")
        url = f"{request.url.scheme}://{request.url.netloc}/files/{ref}"
        said = {"reportDocumentId": ref, "url": url, "compressionAlgorithm": "GZIP"}
        return JSONResponse(said)

    def _write(self, report: Record) -> None:
        since, until = report["span"]
        rows = [row for row in self.rows if since.date() <= row["at"].date() <= until.date()]
        if self.fails or not rows:
            report["processingStatus"] = "FATAL" if self.fails else "CANCELLED"
            return
        lines = ["\t".join(COLUMNS), *("\t".join(row[name] for name in COLUMNS) for row in rows)]
        ref = f"document-{self._next_id()}"
        self._documents[ref] = gzip.compress("\r\n".join([*lines, ""]).encode())
        report |= {"processingStatus": "DONE", "reportDocumentId": ref}


def _failed(status: int, message: str) -> Response:
    error = {"code": "InvalidInput" if status == 400 else "NotFound", "message": message}
    return JSONResponse({"errors": [error]}, status_code=status)
