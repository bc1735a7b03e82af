"""Simulator of Lenovo's warranty service."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.manufacturer_simulator import CLIENT_SECRET, ManufacturerSimulator


class LenovoSimulator(ManufacturerSimulator):
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
