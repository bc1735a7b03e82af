"""Simulator of Cisco's warranty service."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.manufacturer_simulator import ManufacturedUnit, ManufacturerSimulator


class CiscoSimulator(ManufacturerSimulator):
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
            for unit in self.of(serial) or [ManufacturedUnit(serial, "", [])]
        ]
        return JSONResponse({"serial_numbers": shown})

    async def _summary(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        every = [
            (serial, unit)
            for serial in asked
            for unit in self.of(serial) or [ManufacturedUnit(serial, "", [])]
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

    def _shown(self, serial: str, unit: ManufacturedUnit) -> dict[str, Any]:
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

    def _covered(self, unit: ManufacturedUnit) -> bool:
        today = self.now().date()
        return any(cover.ends_on is not None and cover.ends_on >= today for cover in unit.covers)

    def _end(self, unit: ManufacturedUnit) -> str:
        ends = [cover.ends_on for cover in unit.covers if cover.ends_on]
        return str(max(ends)) if ends else ""
