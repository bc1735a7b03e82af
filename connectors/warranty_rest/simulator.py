"""A manufacturer that knows its serials: look-up and registration over REST."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator


@dataclass(slots=True)
class _Unit:
    serial: str
    product: str
    ends_on: date | None
    starts_on: date | None
    sold_on: date | None = None
    reference: str = ""


class WarrantySimulator(Simulator):
    """Knows the units that it was reported about; everything else is 404."""

    def __init__(
        self,
        token: str = "twin-warranty-token",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.token = token
        self.units: dict[str, _Unit] = {}
        self._registrations: dict[str, tuple[str, dict[str, Any]]] = {}
        routes = [
            Route("/warranties/{serial:path}", self._lookup, methods=["GET"]),
            Route("/registrations", self._register, methods=["POST"]),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `warranty_rest` reaches this simulator."""
        return {
            "base_url": url,
            "token": self.token,
            "lookup_path": "/warranties/{serial}",
            "registration_path": "/registrations",
            "calls_per_second": 1000,
        }

    def add_unit(
        self,
        serial: str,
        product: str,
        ends_on: date | None = None,
        starts_on: date | None = None,
    ) -> None:
        """Make a unit known; without a last day it is known and not covered."""
        self.units[serial] = _Unit(serial, product, ends_on, starts_on)

    def forget_unit(self, serial: str) -> None:
        """Lose the record of a unit."""
        del self.units[serial]

    def sold_on(self, serial: str) -> date | None:
        """Return the day of sale that was registered for a serial."""
        return self.units[serial].sold_on

    async def _lookup(self, request: Request) -> Response:
        if (refused := self._refuse(request)) is not None:
            return refused
        unit = self.units.get(request.path_params["serial"])
        if unit is None:
            return JSONResponse({"error": "serial not known"}, status_code=404)
        return JSONResponse(self._shown(unit))

    async def _register(self, request: Request) -> Response:
        if (refused := self._refuse(request)) is not None:
            return refused
        key, body = request.headers.get("idempotency-key"), await request.body()
        if not key:
            return JSONResponse({"error": "Idempotency-Key is required"}, status_code=400)
        if key in self._registrations:
            known, answer = self._registrations[key]
            if known != body.decode():
                return JSONResponse({"error": "key used for other content"}, status_code=422)
            return JSONResponse(answer, status_code=201)
        said = json.loads(body)
        unit = self.units.get(said.get("serial", ""))
        if unit is None:
            return JSONResponse({"error": "serial not known"}, status_code=404)
        if unit.sold_on is not None:
            return JSONResponse({"error": "already registered"}, status_code=409)
        unit.sold_on = date.fromisoformat(said["sold_on"])
        unit.reference = str(said.get("reference") or "")
        unit.starts_on = unit.starts_on or unit.sold_on
        answer = self._shown(unit)
        self._registrations[key] = (body.decode(), answer)
        return JSONResponse(answer, status_code=201)

    def _refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        return JSONResponse({"error": "unauthorized"}, status_code=401)

    def _shown(self, unit: _Unit) -> dict[str, Any]:
        status = "not_covered"
        if unit.ends_on is not None:
            status = "covered" if unit.ends_on >= self.now().date() else "expired"
        starts_on = unit.starts_on.isoformat() if unit.starts_on else None
        ends_on = unit.ends_on.isoformat() if unit.ends_on else None
        covered = {"name": "Manufacturer's warranty", "starts_on": starts_on, "ends_on": ends_on}
        return {
            "serial": unit.serial,
            "product": unit.product,
            "status": status,
            "registered": unit.sold_on is not None,
            "sold_on": unit.sold_on.isoformat() if unit.sold_on else None,
            "reference": unit.reference,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "coverages": [covered] if ends_on else [],
        }
