"""Twins of manufacturers' warranty services: Dell, Lenovo, HP and Cisco; and what Apple's shares.

Each knows the units that it was told about, has its own way to be asked and its own bounds, and
gives tokens that run out. None of them registers a sale.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.simulators.twin import Twin

TOKEN_SECONDS = 3_600
CLIENT_ID, CLIENT_SECRET = "twin-application", "twin-client-secret"


@dataclass(frozen=True, slots=True)
class Cover:
    """One cover of one unit."""

    name: str
    starts_on: date
    ends_on: date | None
    code: str = "ND"


@dataclass(slots=True)
class MadeUnit:
    """One unit that a maker knows."""

    serial: str
    product: str
    covers: list[Cover]


class MakerTwin(Twin):
    """What the five share: units, and tokens that are given for an hour."""

    token_path = ""

    def __init__(
        self, routes: Sequence[Route], clock: Callable[[], datetime] | None = None
    ) -> None:
        self.secret = CLIENT_SECRET
        self.units: list[MadeUnit] = []
        self.tokens: dict[str, datetime] = {}
        tokens = [Route(self.token_path, self._give, methods=["POST"])] if self.token_path else []
        super().__init__([*tokens, *routes], clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this twin."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "base_url": url,
            "calls_per_second": 1000,
        }

    def add_unit(self, serial: str, product: str, covers: Sequence[Cover] = ()) -> None:
        """Make a unit known."""
        self.units.append(MadeUnit(serial, product, list(covers)))

    def of(self, serial: str, product: str | None = None) -> list[MadeUnit]:
        """Return the units of a serial, of one product or of all."""
        return [
            unit
            for unit in self.units
            if unit.serial.casefold() == serial.casefold() and product in (None, unit.product)
        ]

    def expire_tokens(self) -> None:
        """Let all tokens run out."""
        for token in self.tokens:
            self.tokens[token] = self.now() - timedelta(seconds=1)

    async def _give(self, request: Request) -> Response:
        form = {name: each[0] for name, each in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if not self.knows(request, form):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = f"twin-token-{self.next_id()}"
        self.tokens[token] = self.now() + timedelta(seconds=TOKEN_SECONDS)
        return JSONResponse(
            {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        )

    def knows(self, request: Request, form: Mapping[str, str]) -> bool:
        """Say whether a request for a token comes from our application."""
        head = request.headers.get("authorization", "").removeprefix("Basic ")
        if head:
            return base64.b64decode(head).decode() == f"{CLIENT_ID}:{self.secret}"
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, self.secret)

    def refuse(self, request: Request) -> Response | None:
        """Refuse who has no token that is good now."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.tokens and self.tokens[token] > self.now():
            return None
        return JSONResponse({"error": "invalid_token"}, status_code=401)


class DellTwin(MakerTwin):
    """TechDirect: a hundred service tags a call; one that it does not know is invalid."""

    token_path = "/auth/oauth/v2/token"

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        path = "/PROD/sbil/eapi/v5/asset-entitlements"
        super().__init__([Route(path, self._entitlements)], clock)

    async def _entitlements(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        tags = [each for each in request.query_params.get("servicetags", "").split(",") if each]
        if not 0 < len(tags) <= 100:
            return JSONResponse({"Fault": "1 to 100 service tags"}, status_code=400)
        return JSONResponse([self._shown(tag) for tag in tags])

    def _shown(self, tag: str) -> dict[str, Any]:
        found = self.of(tag)
        if not found:
            return {"id": 0, "serviceTag": tag.upper(), "invalid": True, "entitlements": []}
        return {
            "id": 1,
            "serviceTag": tag.upper(),
            "shipDate": f"{min(each.starts_on for each in found[0].covers)}T00:00:00Z"
            if found[0].covers
            else None,
            "productId": found[0].product,
            "duplicated": len(found) > 1,
            "invalid": False,
            "entitlements": [
                {
                    "itemNumber": str(number),
                    "startDate": f"{cover.starts_on}T00:00:00Z",
                    "endDate": f"{cover.ends_on}T23:59:59.999Z",
                    "entitlementType": "INITIAL",
                    "serviceLevelCode": cover.code,
                    "serviceLevelDescription": cover.name,
                }
                for number, cover in enumerate(found[0].covers)
            ],
        }


class LenovoTwin(MakerTwin):
    """ESupport: a token in the header ClientID; one serial is answered by an object."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__([Route("/v2.5/warranty", self._warranty, methods=["GET", "POST"])], clock)

    def settings(self, url: str) -> dict[str, Any]:
        return {"client_id": CLIENT_SECRET, "base_url": url, "calls_per_second": 1000}

    async def _warranty(self, request: Request) -> Response:
        if request.headers.get("clientid") != self.secret:
            return JSONResponse({"ErrorCode": 401, "ErrorMessage": "no ClientID"}, status_code=401)
        names = [each for each in request.query_params.get("Serial", "").split(",") if each]
        if not names:
            return JSONResponse({"ErrorCode": 100, "ErrorMessage": "no Serial"}, status_code=400)
        answers = [each for name in names for each in self._shown(name)]
        return JSONResponse(answers[0] if len(names) == 1 and len(answers) == 1 else answers)

    def _shown(self, name: str) -> list[dict[str, Any]]:
        serial, _, machine_type = name.partition(".")
        found = [unit for unit in self.of(serial) if unit.product.startswith(machine_type.upper())]
        if not found:
            return [{"Serial": name, "ErrorCode": 100, "ErrorMessage": "serial not found"}]
        today = self.now().date()
        return [
            {
                "Serial": unit.serial,
                "Product": f"LAPTOPS/{unit.product[:4]}/{unit.product}/{unit.serial}",
                "InWarranty": any(
                    cover.starts_on <= today <= (cover.ends_on or today) for cover in unit.covers
                ),
                "Purchased": None,
                "Shipped": f"{unit.covers[0].starts_on}T00:00:00Z" if unit.covers else None,
                "Country": "US",
                "Warranty": [
                    {
                        "ID": "3EZ",
                        "Type": "BASE",
                        "Name": cover.name,
                        "Start": f"{cover.starts_on}T00:00:00Z",
                        "End": f"{cover.ends_on}T00:00:00Z",
                    }
                    for cover in unit.covers
                ],
                "Contract": [],
            }
            for unit in found
        ]


class HpTwin(MakerTwin):
    """HP: five serials at once, a thousand as a job that is worked off when it was asked twice."""

    token_path = "/oauth/v1/token"

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.jobs: dict[str, list[dict[str, str]]] = {}
        self.looks: dict[str, int] = {}
        self.looks_until_done = 2
        self.gives_jobs_up = False
        base = "/productwarranty/v2"
        routes = [
            Route(f"{base}/queries", self._queries, methods=["POST"]),
            Route(f"{base}/jobs", self._begin, methods=["POST"]),
            Route(f"{base}/jobs/{{job}}", self._job),
            Route(f"{base}/jobs/{{job}}/results", self._results),
        ]
        super().__init__(routes, clock)

    async def _queries(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        asked = json.loads(await request.body())
        if not 0 < len(asked) <= 5:
            return JSONResponse({"message": "1 to 5 devices"}, status_code=400)
        return JSONResponse([self._shown(each) for each in asked])

    async def _begin(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = f"job-{self.next_id()}"
        self.jobs[job] = json.loads(await request.body())
        return JSONResponse({"jobId": job, "estimatedTime": 30})

    async def _job(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = request.path_params["job"]
        if job not in self.jobs:
            return JSONResponse({"message": "no such job"}, status_code=404)
        self.looks[job] = self.looks.get(job, 0) + 1
        if self.gives_jobs_up:
            return JSONResponse({"jobId": job, "status": "failed"})
        done = self.looks[job] > self.looks_until_done
        status = "completed" if done else "incomplete"
        return JSONResponse({"jobId": job, "status": status, "estimatedTime": 10})

    async def _results(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = request.path_params["job"]
        if self.looks.get(job, 0) <= self.looks_until_done:
            return JSONResponse({"message": "not completed"}, status_code=404)
        return JSONResponse([self._shown(each) for each in self.jobs[job]])

    def _shown(self, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self.of(asked["sn"], asked.get("pn"))
        product = {"serialNumber": asked["sn"], "productNumber": asked.get("pn", "")}
        if not found:
            return {"product": product, "offers": []}
        product["productNumber"] = found[0].product
        return {
            "product": product,
            "offers": [
                {
                    "offerDescription": cover.name,
                    "serviceObligationTypeCode": "W",
                    "serviceObligationLineItemStartDate": str(cover.starts_on),
                    "serviceObligationLineItemEndDate": str(cover.ends_on),
                }
                for cover in found[0].covers
            ],
        }


class CiscoTwin(MakerTwin):
    """Support APIs: 75 serials a call, pages of a summary; a serial may be of several products."""

    token_path = "/oauth2/default/v1/token"
    page_records = 50

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        base = "/sn2info/v2/coverage"
        routes = [
            Route(f"{base}/status/serial_numbers/{{serials}}", self._status),
            Route(f"{base}/summary/serial_numbers/{{serials}}", self._summary),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        return {**super().settings(url), "token_url": f"{url}{self.token_path}"}

    def _asked(self, request: Request) -> list[str] | Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        serials: list[str] = request.path_params["serials"].split(",")
        if not 0 < len(serials) <= 75 or max(map(len, serials)) > 40:
            error = {"ErrorCode": "API_INV_002", "ErrorDescription": "1 to 75 serials"}
            return JSONResponse({"ErrorResponse": {"APIError": error}}, status_code=400)
        return serials

    async def _status(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        shown = [
            {
                "sr_no": serial,
                "is_covered": "YES" if self._covered(unit) else "NO",
                "coverage_end_date": self._end(unit),
            }
            for serial in asked
            for unit in self.of(serial) or [MadeUnit(serial, "", [])]
        ]
        return JSONResponse({"serial_numbers": shown})

    async def _summary(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        every = [
            (serial, unit)
            for serial in asked
            for unit in self.of(serial) or [MadeUnit(serial, "", [])]
        ]
        page = int(request.query_params.get("page_index", "1"))
        last = max(1, -(-len(every) // self.page_records))
        some = every[(page - 1) * self.page_records : page * self.page_records]
        return JSONResponse(
            {
                "pagination_response_record": {
                    "page_index": page,
                    "last_index": last,
                    "total_records": len(every),
                },
                "serial_numbers": [self._shown(serial, unit) for serial, unit in some],
            }
        )

    def _shown(self, serial: str, unit: MadeUnit) -> dict[str, Any]:
        return {
            "sr_no": serial,
            "is_covered": "YES" if self._covered(unit) else "NO",
            "covered_product_line_end_date": self._end(unit),
            "service_line_descr": unit.covers[0].name if unit.covers else "",
            "warranty_end_date": "",
            "warranty_type_description": "",
            "base_pid_list": [{"base_pid": unit.product}],
            "orderable_pid_list": [{"orderable_pid": unit.product, "item_description": "A switch"}],
        }

    def _covered(self, unit: MadeUnit) -> bool:
        today = self.now().date()
        return any(cover.ends_on is not None and cover.ends_on >= today for cover in unit.covers)

    def _end(self, unit: MadeUnit) -> str:
        ends = [cover.ends_on for cover in unit.covers if cover.ends_on]
        return str(max(ends)) if ends else ""
